/**
 * The remote side of steps that travel together: a POSIX shell script that runs them one by one and announces, on both
 * of its streams, where each begins and ends. It runs in dash, bash, busybox and mksh alike.
 *
 * - Every step is a shell of its own, the account's, with the very text that a session of its own would have had: a
 *   syntax error, `exit`, `exec` or `kill -9 $$` ends that step and nothing else.
 * - A step writes into a fifo, which a `cat` carries to the session. Each `cat` is given two fifos in turn, as often as
 *   there are attempts; it opens the next when the last writer of the one before is gone. So whoever opens the next
 *   fifo waits until the streams of the step before are over, background children and all, as a session of its own
 *   would wait; and a mark that is then written to the session itself comes behind all of that step's output.
 * - A mark that cannot be written stops it. So does a `cat` that died of a lost connection: its own shell lets in
 *   whoever waits to open a fifo that nobody will read.
 * - Whoever removes the fifos holds both ends of all of them meanwhile: a `cat` that waits in `open` is let in, reads its
 *   end when they are gone, and finds no next one. One that waited for a removed fifo would wait for ever.
 * - What it does is also in a file, for whoever comes back after the connection was lost (recover.ts): a step is noted
 *   there before the file `stop` is looked for, and who comes back makes `stop` before reading.
 * - Its fifos are in memory where the host has /dev/shm: making and removing them in a /tmp on a disk took as long as all
 *   else of its own. What it notes is not: logind clears /dev/shm of who has left, and a lost note is a step run twice.
 * - All names begin with `cq`: assigning to a name that the environment has would reach the steps.
 * - The subshell before `exec`: dash tells of a signal on the command's own stderr, unless that is set in a child.
 * - `sh -c TEXT sh`: `$0` and the shell's messages are then as under sshd, which calls a shell by its last name.
 * - bash in POSIX mode and with `-c` keeps to itself that a command was ended by a signal.
 * - `unset SHLVL`: a bash that thinks itself started by another skips ~/.bashrc, which sshd's would read.
 * - mksh ends when it calls off the watch over a step's time: with it, steps with a timeout go one by one.
 * - A step is never in the background: it would ignore SIGINT and SIGQUIT.
 *
 * The caller sets `cqN` (the mark), `cqd` (the directory), `cqS` (the number of steps), `cqM` (of how many the text is
 * here; the others follow on standard input, up to the line `cqH`, and end by setting it to all), `cqT`
 * (whether any has a timeout), `cqs1` … (settings), `cqg1` … (guards), `cqx1` … (what to run); then it ends with {@linkcode driverMain}.
 */
export const driverText = shell(String.raw`
unset SHLVL
[ -z "$BASH_VERSION" ] || set +o posix
cqj=1 cqc=0 cqr=0 cqk=0 cqq= cqm= cqz= cqF= cqL= cqW= cqu= cqa= cqU= cqo=1 cqe=3
exec 3>&1 4>&2
cqno() { echo "$cqN X"; echo "$cqN X" >&2; exit 1; }
[ -n "$SHELL" ] || cqno
[ -z "$cqT" ] || { [ -z "$KSH_VERSION" ] && kill -0 -$$ 2>/dev/null; } || cqno
cqb=$cqd
[ ! -d /dev/shm ] || [ ! -w /dev/shm ] || cqb=/dev/shm/@{cqd##*/}
if [ $cqb = $cqd ]; then set -- $cqd; else set -- $cqd $cqb; fi
mkdir -m 700 "$@" 2>/dev/null || { [ $cqb = $cqd ] || rmdir $cqb 2>/dev/null; cqno; }
mkfifo -m 600 $cqb/1 $cqb/2 $cqb/3 $cqb/4 2>/dev/null || { rm -rf "$@"; cqno; }
echo "P $$" >"$cqd/s"
trap 'if [ -e "$cqb/t" ] && [ -z "$cqu" ]; then cqu=1; else cqq=1; fi' HUP INT QUIT TERM
trap : PIPE
cqpour() {
  trap "" HUP INT QUIT TERM
  cd $cqb
  cat "$@" 2>/dev/null
  exec >/dev/null 2>&1
  [ -e $cqd/s ] || exit
  [ -e $cqd/over ] || : >$cqd/dead
  until [ -e $cqd/over ] || [ ! -e $cqd/s ] || ! kill -0 $$; do
    for cqx in 1 2 3 4; do : <>$cqx; done
    sleep 1
  done
}
cqsay() { cqm="@{cqm:+$cqm
}$cqN $1"; }
cqput() { cqz="@{cqz:+$cqz
}$1"; }
cqnote() { [ -z "$cqz" ] || echo "$cqz" >>"$cqd/s"; cqz=; }
cqtell() {
  if [ -n "$cqm" ]; then
    echo "$cqm" >&3 && echo "$cqm" >&4 || { cqF=1 cqL=1; cqput L; cqnote; return 1; }
  fi
  cqm=
}
case "@{SHELL##*/}" in sh|ash|bash|dash|ksh|ksh93|mksh|yash|zsh) cqO=@{SHELL##*/} ;; *) cqO= ;; esac
cqrun() { (exec "$SHELL" -c "$1" @{cqO:+"$cqO"} </dev/null >&5 2>&6 3>&- 4>&- 5>&- 6>&-); }
cqask() { (exec "$SHELL" -c "$1" @{cqO:+"$cqO"} </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&-); }
cqsettle() {
  if [ -n "$cqW" ]; then
    kill -USR1 $cqW
    wait $cqW
    wait $cqW
    cqW=
  fi 2>/dev/null
  cqg=- cqh=0
  if [ -s "$cqb/m" ]; then [ $cqr -le 128 ] || cqg=$(kill -l $((cqr-128))); : >"$cqb/m"; fi
  if [ -e "$cqb/t" ]; then cqh=1 cqu=; rm -f "$cqb/t"; fi
  cqx="$cqc $cqr @{cqg:--} $cqh"
  if [ $cqr$cqh = 00 ]; then
    cqput "E $cqx"; cqsay "E $cqx"
    cqj=$((cqc+1)) cqk=0
  elif [ $cqk -le $cqn ] && [ -z "$cqq" ]; then
    cqput "R $cqx"; cqsay "R $cqx"
    cqnote
    cqtell || return
    if [ $cqy != 0 ]; then
      cqx=$((cqy%1000+1000)) cqx=$((cqy/1000)).@{cqx#1}
      sleep $cqx 2>/dev/null || [ -n "$cqq" ] || sleep $((cqy/1000+1))
    fi
    cqy=$((cqy*cqD))
    [ $cqD = 1 ] || [ $cqy -le 10000 ] || cqy=10000
  else
    cqput "E $cqx"; cqsay "E $cqx"
    cqj=$((cqc+1)) cqk=0
    [ -n "$cqI" ] || cqF=1
  fi
}
cqturn() {
  [ $cqc = 0 ] || cqsettle
  while [ -z "$cqF" ]; do
    if [ $cqj -gt $cqS ]; then cqF=1; break; fi
    if [ -n "$cqq" ]; then cqF=1; cqsay S; break; fi
    if [ $cqj -gt $cqM ]; then
      cqnote
      cqtell || break
      cqx=$(sed "/^$cqH/q")
      case $cqx in *"$cqH") eval "$cqx" ;; *) cqF=1; cqsay S; break ;; esac
    fi
    [ $cqk != 0 ] || { cqn=0 cqy=0 cqD=2 cqt= cqI= cqG= cqK=; cqs$cqj; }
    if [ -n "$cqG" ]; then
      cqnote
      cqtell || break
      cqv=
      cqg$cqj
      if [ -n "$cqv" ]; then
        cqput "K $cqj $cqv"; cqsay "K $cqj $cqv"
        cqj=$((cqj+1)) cqk=0
        continue
      fi
    fi
    cqput "B $cqj"
    cqnote
    if [ -e "$cqd/stop" ] || [ -e "$cqd/dead" ]; then cqF=1; cqput L; cqnote; cqsay S; break; fi
    if [ -n "$cqK" ]; then
      cqh=0
      if cqx$cqj; then
        cqput "C $cqj $cqh"; cqsay "C $cqj $cqh"
        cqj=$((cqj+1)) cqk=0
        continue
      fi
      cqF=1; cqput L; cqsay "F $cqj"
      break
    fi
    cqsay "B $cqj"
    cqtell || break
    cqc=$cqj cqk=$((cqk+1))
    [ ! -s "$cqb/m" ] || : >"$cqb/m"
    [ -z "$cqt" ] || cqwatch $cqt
    cqx$cqj
    cqr=$?
    echo "X $cqc $cqr" >>"$cqd/s"
    return 0
  done
  cqnote
  if [ -z "$cqL" ]; then
    cqsay Z
    cqtell && { read -r cqa || [ -z "$cqq" ] || read -r cqa; }
  fi
  [ ! -e "$cqd/stop" ] || cqa=k
  if [ "$cqa" = k ]; then
    [ -z "$cqU" ] || cqsweep
    exec rm -rf $cqb $cqd 7<>$cqb/1 8<>$cqb/2 9<>$cqb/3 0<>$cqb/4
  fi
  : >"$cqd/over"
  if [ $cqb = $cqd ]; then set -- -f $cqb/1 $cqb/2 $cqb/3 $cqb/4; else set -- -rf $cqb; fi
  rm "$@" 7<>$cqb/1 8<>$cqb/2 9<>$cqb/3 0<>$cqb/4
  return 0
}
`);

/** For steps with a timeout: a watch that ends what a step started, by SIGTERM, and two seconds later by SIGKILL. */
export const watchText = shell(String.raw`
cqdoze() {
  for cqx in "$1" $((@{1%.*}+1)); do
    sleep "$cqx" & cqw=$!
    [ -z "$cqv" ] || kill -KILL $cqw
    wait $cqw && return
    [ -z "$cqv" ] || exit 0
  done
}
cqslay() {
  case $1 in $$|$cqA|$cqB|$cqW) return ;; esac
  case $2 in $cqA|$cqB|$cqW) return ;; esac
  kill -KILL $1
}
cqreap() {
  read -r cqW <"$cqb/w"
  if [ -e /proc/$$/stat ]; then
    for cqx in /proc/[0-9]*/stat; do
      read -r cqy <"$cqx" || continue
      cqx=@{cqx#/proc/}
      set -- @{cqy##*) }
      [ "$3" != $$ ] || cqslay @{cqx%/stat} $2
    done
  else
    ps -A -o pid= -o ppid= -o pgid= | while read -r cqx cqy cqz; do
      [ "$cqz" != $$ ] || cqslay $cqx $cqy
    done
  fi
}
cqwatch() {
  (
    trap "" HUP INT QUIT TERM
    cqw= cqv=
    trap 'cqv=1; [ -z "$cqw" ] || kill -KILL $cqw' USR1
    cqdoze "$1"
    : >"$cqb/t"
    kill -TERM -$$
    cqdoze 2
    cqreap
  ) </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- &
  cqW=$!
  echo $cqW >"$cqb/w"
}
`);

/** Removes what remote sides that died have left, a few each time; sets `cqU`, which says that it is there. */
export const sweepText = shell(String.raw`
cqU=1
cqsweep() {
  set --
  for cqx in "@{cqd%.*}".*; do
    [ $# -lt 40 ] || break
    if [ -d "$cqx" ] && [ -O "$cqx" ]; then
      cqy=
      read -r cqy <"$cqx/s"
      kill -0 @{cqy#P } || set -- "$@" "$cqx" "/dev/shm/@{cqx##*/}"
    fi 2>/dev/null
  done
  [ $# = 0 ] || find "$@" -prune -type d -mtime +0 -exec rm -rf {} \; 2>/dev/null
}
`);

/** Begins the steps; `$1` … of `cqpour` are put in by the caller: as many names as there can be attempts, and two more. */
export function driverMain(attempts: number): string {
  const turns = Math.ceil(attempts / 2) + 1;
  return shell(String.raw`
{
  cqpour ${"1 2 ".repeat(turns)}>&3 3>&- 4>&- & cqA=$!
  cqpour ${"3 4 ".repeat(turns)}>&4 3>&- 4>&- & cqB=$!
  while [ -z "$cqF" ]; do
    cqturn 5>$cqb/$cqo 6>$cqb/$cqe || cqF=1
    case $cqo in 1) cqo=2 cqe=4 ;; *) cqo=1 cqe=3 ;; esac
  done
  wait
} 2>>"$cqb/m"
`);
}

/**
 * Puts a small file in its place as `Host.copy` does over SFTP: unless one of the same size and time is there, under a
 * temporary name beside it, mode 0600, with its contents on the disk, its mode and time, by a rename. Whatever is
 * unusual fails, and is then done over SFTP. Arguments: path, name within a directory, temporary suffix, mode, time for
 * `touch`, checksum and size, size and time for `stat`; base64 on stdin. Sets `cqh` where nothing had to be moved.
 */
export const copyText = shell(String.raw`
cqcopy() {
  cqp=$1
  if [ -d "$cqp" ]; then cqp=@{cqp%/}/$2
  elif [ -e "$cqp" ]; then
    case $cqp in */) return 1 ;; esac
  else
    case $cqp in */) mkdir "$cqp" || return; cqp=$cqp$2 ;; esac
  fi
  if [ -d "$cqp" ]; then return 1; fi
  if [ -e "$cqp" ]; then
    [ -f "$cqp" ] || return
    if [ "$(stat -L -c "%s %Y" "$cqp")" = "$7" ]; then cqh=1; return; fi
  fi
  cqf=@{cqp%/*}/.@{cqp##*/}$3
  if (umask 077; base64 -d | dd of="$cqf" bs=65536 conv=fsync) &&
    [ "$(cksum <"$cqf" | { read -r cqx cqv cqh; echo $cqx $cqv; })" = "$6" ] &&
    chmod $4 "$cqf" && TZ=UTC0 touch -t $5 "$cqf" && mv -f "$cqf" "$cqp"
  then return 0; fi
  rm -f "$cqf"
  return 1
} >/dev/null 2>&1
`);

/** `@{` stands for the brace that a template would take for its own. */
function shell(text: string): string {
  return text.replaceAll("@{", "${").replace(/^\n/, "");
}
