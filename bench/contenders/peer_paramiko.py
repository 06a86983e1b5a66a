# Plain paramiko, as its documentation uses it. Its one argument is a task in JSON: bench/peers/libraries.ts.
import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import paramiko

task = json.loads(sys.argv[1])
with open(task["hostKeyFile"]) as file:
    host_key = paramiko.Ed25519Key(data=base64.b64decode(file.read().split()[1]))


def connect(host):
    client = paramiko.SSHClient()
    name = "[%s]:%d" % (host["hostname"], host["port"])
    client.get_host_keys().add(name, "ssh-ed25519", host_key)
    client.connect(
        host["hostname"],
        port=host["port"],
        username=task["user"],
        key_filename=task["identityFile"],
        allow_agent=False,
        look_for_keys=False,
    )
    return client


def run(client, command):
    _, stdout, _ = client.exec_command(command)
    text = stdout.read().decode()
    return stdout.channel.recv_exit_status(), text


def must(client, command):
    status, _ = run(client, command)
    if status != 0:
        raise SystemExit("exit status %d" % status)


def sequential():
    with connect(task["hosts"][0]) as client:
        for command in task["commands"]:
            must(client, command)


def parallel():
    with connect(task["hosts"][0]) as client:

        def one(command):
            try:
                return run(client, command) == (0, "ok\n")
            except paramiko.SSHException:
                return False

        with ThreadPoolExecutor(task["width"]) as pool:
            good = list(pool.map(one, task["commands"]))
    return {"ok": good.count(True), "failed": good.count(False)}


def fleet():
    def one(host):
        with connect(host) as client:
            for command in task["commands"]:
                must(client, command)

    with ThreadPoolExecutor(task["width"]) as pool:
        list(pool.map(one, task["hosts"]))


def push():
    with connect(task["hosts"][0]) as client:
        client.open_sftp().put(task["local"], task["remote"])


def pull():
    with connect(task["hosts"][0]) as client:
        client.open_sftp().get(task["remote"], task["local"])


modes = {"sequential": sequential, "parallel": parallel, "fleet": fleet, "push": push, "pull": pull}

print(json.dumps(modes[task["mode"]]() or {}))
