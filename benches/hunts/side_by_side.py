#!/usr/bin/env python3
"""Asks every saved hunt of a large lake, embedded and in DuckDB: seconds and bytes read, side by side.

    benches/hunts/side_by_side.py SPANLAKE SPANLAKE_HUNT LAKE [--runs 3] [--limit SECONDS] [--only NAME,…] [--json FILE]

Each answer is a process of its own that begins with nothing: `spanlake-hunt -q`, and a Python that opens the lake by
`spanlake schema --format duckdb`. Of both, all from start to end is counted, then without what the same process takes for
`SELECT 1`. Bytes are what a process asked the system for (rchar of /proc/PID/io), whether from a disk or from memory. The lake is
read once before, so that it is in memory where it fits. Of several runs, taken in turns, the fastest counts; what takes longer
than the limit is ended, and not asked again. Needs duckdb from PyPI.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

DUCKDB = """
import duckdb, sys
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
connection.execute(open(sys.argv[1]).read())
rows = connection.execute(open(sys.argv[2]).read()).fetchall()
print(len(rows))
"""


def measured(command, limit):
    """Seconds, bytes read, peak memory and output of a process."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, stdout=out, stderr=err)
        ending = threading.Timer(limit, child.kill)
        ending.start()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ending.cancel()
        seconds = time.monotonic() - begun
        # Still there until it is waited for.
        io = dict(line.split(": ") for line in pathlib.Path(f"/proc/{child.pid}/io").read_text().splitlines())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode == -signal.SIGKILL:
            return None, f"ended after {seconds:.0f} s"
        out.seek(0), err.seek(0)
        if child.returncode not in (0, 3):
            return None, err.read().decode(errors="replace").strip().splitlines()[-1][:200]
        return {"seconds": seconds, "bytes": int(io["rchar"]), "memory": usage.ru_maxrss * 1024,
                "cpu": usage.ru_utime + usage.ru_stime}, out.read().decode()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("spanlake"), arguments.add_argument("hunt"), arguments.add_argument("lake")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--limit", type=float, default=600)
    arguments.add_argument("--only", type=lambda text: text.split(","))
    arguments.add_argument("--json")
    given = arguments.parse_args()
    os.environ["TZ"] = "UTC"
    scratch = pathlib.Path(tempfile.mkdtemp())
    ddl, text = scratch / "lake.sql", scratch / "hunt.sql"
    ddl.write_bytes(subprocess.run([given.spanlake, "schema", "--format", "duckdb", "--lake", given.lake], check=True, capture_output=True).stdout)
    listed = subprocess.run([given.hunt, "list"], check=True, capture_output=True, text=True).stdout
    listed = [line.split()[0] for line in listed.splitlines() if line.strip()]
    engines = {
        "embedded": [given.hunt, "--lake", given.lake, "--format", "json", "-f", str(text)],
        "duckdb": [sys.executable, "-c", DUCKDB, str(ddl), str(text)],
    }
    for path in pathlib.Path(given.lake).rglob("*.parquet"):
        path.read_bytes()

    def fastest(sql):
        text.write_text(sql)
        best = {}
        for _ in range(given.runs):
            for name, command in engines.items():
                if "failed" in best.get(name, {}):
                    continue
                found, said = measured(command, given.limit)
                if found is None:
                    best[name] = {"failed": said}
                    continue
                found["rows"] = len(said.splitlines()) if name == "embedded" else int(said.split()[-1])
                if name not in best or found["seconds"] < best[name]["seconds"]:
                    best[name] = found
        return best

    nothing = fastest("SELECT 1")
    print("nothing (SELECT 1): " + ", ".join(f"{name} {found['seconds']:.2f} s" for name, found in nothing.items()))
    print(f"{'':36} {'rows':>9}   {'embedded':^27}   {'DuckDB':^27}   time")
    results = {}
    for name in listed:
        if given.only and name not in given.only:
            continue
        sql = subprocess.run([given.hunt, "show", name, "--sql", "--lake", given.lake], check=True, capture_output=True, text=True).stdout
        found = results[name] = fastest(sql)
        cells = []
        for engine in engines:
            one = found[engine]
            if "failed" in one:
                cells.append(f"{one['failed'][:27]:27}")
                continue
            one["net"] = max(one["seconds"] - nothing[engine]["seconds"], 0.001)
            cells.append(f"{one['seconds']:7.2f} s {one['bytes'] / 1e6:7.0f} MB {one['memory'] / 1e6:5.0f}M")
        ratio = ""
        if all("net" in found[engine] for engine in engines):
            ratio = f"{found['embedded']['seconds'] / found['duckdb']['seconds']:.2f}"
            if found["embedded"]["rows"] != found["duckdb"]["rows"]:
                ratio += f"  DIFFERS: {found['duckdb']['rows']} rows"
        print(f"{name:36} {found['embedded'].get('rows', ''):>9}   {'   '.join(cells)}   {ratio}", flush=True)
    both = [found for found in results.values() if all("net" in found[engine] for engine in engines)]
    for what, key, least in (("from start to end", "seconds", 0), ("without what SELECT 1 takes, where that leaves a tenth of a second in both", "net", 0.1)):
        ratios = [found["embedded"][key] / found["duckdb"][key] for found in both if min(found[engine][key] for engine in engines) >= least]
        if ratios:
            print(f"{what}: embedded takes {statistics.geometric_mean(ratios):.2f} times DuckDB's time (geometric mean of {len(ratios)}); "
                  f"slower in {sum(ratio > 1 for ratio in ratios)}")
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps({"nothing": nothing, "hunts": results}, indent=1))


main()
