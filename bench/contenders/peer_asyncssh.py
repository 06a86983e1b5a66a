# Plain asyncssh, as its documentation uses it. Its one argument is a task in JSON: bench/peers/libraries.ts.
import asyncio
import json
import os
import sys
import time

import asyncssh

task = json.loads(sys.argv[1])
with open(task["hostKeyFile"]) as file:
    host_key = asyncssh.import_public_key(file.read())


def connect(host):
    return asyncssh.connect(
        host["hostname"],
        host["port"],
        username=task["user"],
        client_keys=[task["identityFile"]],
        known_hosts=([host_key], [], []),
        agent_path=None,
        config=None,
    )


async def each(items, width, work):
    waiting = iter(items)

    async def worker():
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(width)))


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


async def timed(count, work):
    samples = []
    for _ in range(count):
        started = time.perf_counter()
        await work()
        samples.append((time.perf_counter() - started) * 1000)
    return samples


async def sequential():
    async with connect(task["hosts"][0]) as connection:
        for command in task["commands"]:
            await connection.run(command, check=True)


async def parallel():
    report = {"ok": 0, "failed": 0}
    async with connect(task["hosts"][0]) as connection:

        async def one(command):
            try:
                ran = await connection.run(command, check=True)
                good = ran.stdout == "ok\n"
            except asyncssh.Error:
                good = False
            report["ok" if good else "failed"] += 1

        await each(task["commands"], task["width"], one)
    return report


async def fleet():
    async def one(host):
        async with connect(host) as connection:
            for command in task["commands"]:
                await connection.run(command, check=True)

    await each(task["hosts"], task["width"], one)


async def sftp_put(recurse):
    async with connect(task["hosts"][0]) as connection:
        async with connection.start_sftp_client() as sftp:
            await sftp.put(task["local"], task["remote"], recurse=recurse)


async def pull():
    async with connect(task["hosts"][0]) as connection:
        async with connection.start_sftp_client() as sftp:
            await sftp.get(task["remote"], task["local"])


async def during_bulk(push):
    async with connect(task["hosts"][0]) as connection:

        async def one():
            await connection.run("true", check=True)

        await timed(3, one)
        idle = await timed(task["count"], one)
        seen = {"bytes": 0}
        flowing = asyncio.Event()
        process = await connection.create_process(task["bulk"], encoding=None)

        async def write():
            chunk = os.urandom(65536)  # it asks for compression
            while True:
                process.stdin.write(chunk)
                await process.stdin.drain()
                seen["bytes"] += len(chunk)
                if seen["bytes"] >= task["afterBytes"]:
                    flowing.set()

        async def read():
            while True:
                data = await process.stdout.read(65536)
                if not data:
                    return
                seen["bytes"] += len(data)
                if seen["bytes"] >= task["afterBytes"]:
                    flowing.set()

        reading = asyncio.ensure_future(write() if push else read())
        await flowing.wait()
        before, started = seen["bytes"], time.perf_counter()
        loaded = await timed(task["count"], one)
        rate = (seen["bytes"] - before) / 1e6 / (time.perf_counter() - started)
        reading.cancel()
        connection.abort()
    return {
        "idleP50Ms": quantile(idle, 0.5),
        "idleP99Ms": quantile(idle, 0.99),
        "p50Ms": quantile(loaded, 0.5),
        "p99Ms": quantile(loaded, 0.99),
        "bulkMBPerSecond": rate,
    }


modes = {
    "sequential": sequential,
    "parallel": parallel,
    "fleet": fleet,
    "tree": lambda: sftp_put(True),
    "push": lambda: sftp_put(False),
    "pull": pull,
    "duringBulk": lambda: during_bulk(False),
    "duringPush": lambda: during_bulk(True),
}

print(json.dumps(asyncio.run(modes[task["mode"]]()) or {}))
