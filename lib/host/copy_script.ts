/**
 * Scripts that a host runs for a copy, in POSIX sh with the tools that GNU, BSD and busybox share. Each is one line:
 * csh takes no other. Paths that they get begin with `/` or `./`, so none is taken for an option.
 */
import { SKIP_INIT, SKIP_LINE } from "./copy_shell.ts";

/** Ends each record of a listing: no path that was asked for has two slashes. */
export const RECORD_END = "//\n";
/** Ends a list of records. */
export const LIST_END = "///\n";

/** Sets `$s` to the kind of `stat` that there is: `c` as GNU's, `f` as BSD's, empty for none. */
const FIND_STAT =
  "s=; if stat -c %f . >/dev/null 2>&1; then s=c; elif stat -f %p . >/dev/null 2>&1; then s=f; fi";

/** What a record tells, in the words of GNU's and of BSD's `stat`: mode in hexadecimal, size, time, time of change. */
const GNU = "%f %s %Y %Z";
const BSD = "%Xp %z %m %c";

/** Prints a record, with its path, for each of `$@`. What is not there is not printed. */
const STAT = `case $s in c) stat -c "${GNU} %n//" "$@";; f) stat -f "${BSD} %N//" "$@";; esac 2>/dev/null`;

/** The same to `$r`, where one of them is there for certain: so the first `stat` that says something is of the right kind. */
const STAT_TO_R = `r=$(stat -c "${GNU} %n//" "$@" 2>/dev/null); ` +
  `[ "$r" ] || r=$(stat -f "${BSD} %N//" "$@" 2>/dev/null)`;

/** Prints a line for each file of `$@`: its SHA-256 in hexadecimal, spaces, its path. Nothing where it has no such program. */
const HASH = 'if command -v sha256sum >/dev/null; then sha256sum "$@"; ' +
  'elif command -v shasum >/dev/null; then shasum -a 256 "$@"; ' +
  'elif command -v sha256 >/dev/null; then sha256 -r "$@"; fi 2>/dev/null';

/**
 * Leftovers of copies whose host or link died are removed after a day; programs run only where there are some. Only a name
 * with an id as we make them is ours: somebody's `.env.carpool-prod` is not. What counts is when it was last changed in
 * any way: a copy by SFTP that is alive gives its file the time of the source before it gives it its name.
 */
const SWEEP =
  "a=[0-9a-f]; b=$a$a$a$a; b=$b$b[-0-9a-f]$a$a$a; set -- .carpool-$b .*.carpool-$b .*.carpool-part-$b; " +
  'for x in "$@"; do if [ -e "$x" ] || [ -h "$x" ]; then { n=$(date +%s); for x in "$@"; do ' +
  't=$(stat -c %Z "$x" || stat -f %c "$x") && [ $((n-t)) -gt 86400 ] && rm -rf "$x"; ' +
  "done; } </dev/null >/dev/null 2>&1 & break; fi; done";

/**
 * Takes a tree or a file as a tar stream. Words: target, own name or "", "/" where the target ended so, `t` for a tree or
 * `f` for a file, the target's parent, its last name, an id, `c` for hashes, and the paths to look at.
 *
 * It decides where the source goes and goes there, then says so:
 *
 *     state,name,made,group,now/ · records · LIST_END · [hashes · LIST_END]
 *
 * state: `d` where the top (or the file) is there already, `n` where it is new, `x` where this script cannot do it. name:
 * `n` for the own name, `b` for the target's last. made: `m` where it made the target. group: `g` where new directories
 * take over the group. now: its clock, in seconds since 1970, or 0. It then unpacks its input beside the target, after a
 * LF where the state is `d`, and runs what came as `finish`, which must be the last of it.
 *
 * Each program takes the host a millisecond or more. So none runs for each file, and what is new is made ready for while
 * the answer is on its way; what is there already may need nothing, and is left alone until there is a LF.
 */
export const PUSH = [
  'd=$1 f= k=n w=b m= g= n=0 r=; if [ -d "$1" ]; then w=n f=$2',
  'elif [ "$2" ] && [ "$3" ]; then w=n f=$2; mkdir "$1" && m=m',
  "else d=$5 f=$6; fi",
  'if [ $4 = t ] && [ "$f" ] && [ -d "$d/$f" ]; then d=$d/$f f=; fi',
  'cd "$d" || k=x; l=$4 i=$7 c=$8; shift 8',
  'if [ $k = x ]; then :; elif [ -z "$f" ]; then k=d; elif [ -d "./$f" ]; then k=x',
  'elif [ -f "./$f" ] || [ -h "./$f" ]; then k=d; [ $l = f ] || k=x; set -- "./$f"',
  'elif [ -e "./$f" ]; then k=x; fi',
  "[ -w . ] && command -v tar >/dev/null || k=x",
  `if [ $k = d ] && [ $# -gt 0 ]; then ${STAT_TO_R}; [ "$r" ] || k=x; fi`,
  "[ -g . ] && g=g",
  '[ $k = d ] && n=$(date +%s); printf "%s,%s,%s,%s,%s/" $k $w "$m" "$g" "$n"; [ $k = x ] && exit 0',
  '[ -z "$r" ] || { printf %s "$r"; echo; }; echo ///',
  `if [ "$c" ]; then if [ $k = d ]; then ${HASH}; fi; echo ///; fi`,
  `if [ $k = d ]; then ${SKIP_LINE}; else ${SKIP_INIT}; fi`,
  "p=./.carpool-$i e=70; trap 'rm -rf \"$p\"' 0; trap 'exit 71' 1 2 13 15",
  'mkdir -m 700 "$p" || exit 72',
  'tar -x -p -o -f - -C "$p" || exit 73',
  '[ -f "$p/finish" ] || exit 74',
  '. "$p/finish"; rm -rf "$p"; trap - 0',
  SWEEP,
  "exit $e",
].join("; ");

/** Looks at paths. Words: a directory, `c` for hashes. Input: a LF, paths in it, each with a NUL behind it. Output as that of `PUSH`. */
export const LOOK = [
  `cd "$1" && command -v xargs >/dev/null || exit 1; ${FIND_STAT}; [ "$s" ] || exit 1`,
  SKIP_LINE,
  `if [ "$2" ]; then xargs -0 sh -c '${HASH}' sh; else xargs -0 sh -c 's=$0; ${STAT}' $s; fi`,
  "echo ///; exit 0",
].join("; ");

/**
 * Lists where it is and all below that. GNU's `find` tells it all; where there is another, or when that has not seen
 * everything, `stat` does: then the records may come twice.
 */
const LIST = 'find . -printf "%y,%m %s %T@ %C@ %p//\\n" 2>/dev/null && echo ok/// || { ' +
  `find . -exec stat -c "${GNU} %n//" {} + 2>/dev/null && echo ok/// || { ` +
  `find . -exec stat -f "${BSD} %N//" {} + 2>/dev/null && echo ok/// || echo no///; }; }`;

/** A tree that takes no more than this on its host's disk is sent without being asked for, in KiB. */
const EAGER_KIB = 4096;

/**
 * Gives a tree or a file. Words: its path, `e` where nothing of it is here yet, the size and time of a file that is here
 * as `size,seconds` or "". Output:
 *
 *     state,now/ · records · ok or no · LIST_END · `e`, `w` or `s` · LF · contents
 *
 * state: `d` for a directory, `f` for a file, `x` for what this script cannot give. now: its clock, 0 where nothing is
 * here. no: the listing is not whole. e: the
 * contents follow: a tar stream, or the file. w: it waits for a LF and names, each with a NUL behind it, and gives those as
 * tar streams; a file is too large, or empty, or not what it seems. s: the file that is here is the same.
 */
export const PULL = [
  'v=$1 z=$2 y=$3 k=x n=0; if [ -d "$v" ]; then cd -P "$v" && k=d; elif [ -f "$v" ] && [ -r "$v" ]; then k=f; fi',
  "case $k$PWD in d/proc*|d/sys*) k=x;; esac",
  "command -v tar >/dev/null && command -v find >/dev/null || k=x",
  `if [ $k = f ]; then r=$(stat -L -c "${GNU} ././/" "$v" 2>/dev/null || stat -L -f "${BSD} ././/" "$v" 2>/dev/null) || k=x; fi`,
  '[ "$z" ] || n=$(date +%s); printf "%s,%s/" $k $n; [ $k = x ] && exit 0',
  'if [ $k = f ]; then echo "$r"; echo ok///; set -- $r; ' +
  'if [ "$2,$3" = "$y" ]; then echo s; elif [ $2 -gt 0 ] && [ $2 -le 4194304 ]; then echo e; exec cat <"$v"; fi; echo w; exit 0; fi',
  LIST,
  'if [ "$z" ]; then set -- $(du -sk . 2>/dev/null); ' +
  `if [ \${1:-99999} -le ${EAGER_KIB} ]; then echo e; exec tar -cf - .; fi; fi`,
  "echo w",
  SKIP_LINE,
  "exec xargs -0 tar -cf -",
].join("; ");

/** Gives the files that are named, as `PULL` does. Words: the directory. */
export const TAKE = `cd "$1" || exit 1; ${SKIP_LINE}; exec xargs -0 tar -cf -`;

/** Prints the SHA-256 of a file's beginning, nothing where there is none. Words: its path, bytes. */
export const HASH_HEAD = "if command -v sha256sum >/dev/null; then h=sha256sum; " +
  'elif command -v shasum >/dev/null; then h="shasum -a 256"; else h="sha256 -r"; fi; { head -c "$2" | $h; } <"$1"; echo ///';
