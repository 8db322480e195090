#!/usr/bin/env python3
"""Asks every saved hunt of one lake in three engines, and compares the rows: embedded, DuckDB, Spark.

    hunt/tests/engines.py SPANLAKE SPANLAKE_HUNT [--without-spark | --master spark://HOST:7077]

The lake is made from all of pcaps/ by the program SPANLAKE. Each hunt is asked as `spanlake-hunt show NAME --sql` prints
it, once as it comes and once for a site with exclusions whose texts are full of what engines read differently. The
functions must give what functions.toml says, and the analysts' own texts (analysts.toml) the same rows in the embedded
engine and in Spark. Ends with 1 where anything differs. `.ci/hunts` installs what it needs and runs it, with Spark in a
process of its own; with --master a cluster is asked, whose workers see this machine's folder for temporary files.
"""
import argparse
import datetime
import decimal
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
# What excludes nothing, and must be read alike: a quote, a backslash, a variable of Spark, both kinds of networks.
HOSTILE_SITE = r"""
[[exclude]]
hunt = "*"
column = "src_ip.address"
subnet = ["198.51.100.0/24", "198.18.0.0/15", "2001:db8:ffff::/48", "192.0.2.200"]
[[exclude]]
hunt = "*"
column = "query"
equals = ["it's", 'back\slash\x00', "${spark.master}", '"double"', "a;b--", "`"]
[[exclude]]
hunt = "*"
column = "request.user_agent"
like = ["it's %", '"%']
[[exclude]]
hunt = "*"
column = "dst_port"
equals = [1, 2]
"""

failures = []


def fails(what, *lines):
    failures.append(what)
    print(f"DIFFERS  {what}", *(f"    {line}" for line in lines), sep="\n", flush=True)


# --- values in one form ------------------------------------------------------------------------------------------


def plain(value):
    """A value of any engine: times as text in UTC, numbers to 9 digits."""
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str) and TIME.fullmatch(value):
        text = value.replace(" ", "T").removesuffix("Z").removesuffix("+00:00")
        head, _, fraction = text.partition(".")
        return f"{head}.{fraction[:6].ljust(6, '0')}"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float, decimal.Decimal)):
        return float(f"{float(value):.9g}")
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    raise TypeError(f"a value of type {type(value)}")


def rows_of(rows):
    """Rows as sorted text; two engines may order what is equal by ORDER BY as they like."""
    return sorted(json.dumps(list(map(plain, row)), sort_keys=True) for row in rows)


# --- the engines -------------------------------------------------------------------------------------------------


class Embedded:
    name = "embedded"

    def __init__(self, hunt, lake):
        self.hunt, self.lake = hunt, lake

    def query(self, sql):
        done = subprocess.run([self.hunt, "--lake", self.lake, "--format", "json", "-q", sql], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        # Two columns of an answer may have one name, as in `SELECT src_ip.address, dst_ip.address`.
        rows = [json.loads(line, object_pairs_hook=Pairs) for line in done.stdout.splitlines() if line.strip()]
        columns = [name for name, _ in rows[0].pairs] if rows else None
        return columns, [[value for _, value in row.pairs] for row in rows]


class Pairs(dict):
    """An object of JSON that keeps fields with one name apart."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs


class DuckDB:
    name = "duckdb"

    def __init__(self, ddl):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(ddl)
        self.version = duckdb.__version__

    def query(self, sql):
        found = self.connection.execute(sql)
        return [column[0] for column in found.description], found.fetchall()


class Spark:
    name = "spark"

    def __init__(self, ddl, scratch, master):
        import pyspark
        from pyspark.sql import SparkSession

        sys.path.insert(0, str(TOP / "hunt" / "python"))
        import spanlake_functions

        os.chdir(scratch)
        self.session = (
            SparkSession.builder.master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.warehouse.dir", scratch)
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "OFF")
            .getOrCreate()
        )
        lines = [line for line in ddl.splitlines() if not line.startswith("--")]
        for statement in re.split(r";\s*(?:\n|$)", "\n".join(lines)):
            if statement.strip():
                self.session.sql(statement)
        spanlake_functions.register(self.session)
        self.version = pyspark.__version__

    def query(self, sql):
        found = self.session.sql(sql)
        return found.columns, [list(map(unrow, row)) for row in found.collect()]


def unrow(value):
    """Spark's structs as dictionaries."""
    if hasattr(value, "asDict"):
        return value.asDict(recursive=True)
    if isinstance(value, list):
        return [unrow(inner) for inner in value]
    return value


# --- what is compared --------------------------------------------------------------------------------------------


def compare(what, sql, engines, names_too=True):
    """Whether all engines give the same rows; how many there are and how long each took."""
    answers, seconds, names = {}, {}, {}
    for engine in engines:
        begun = time.monotonic()
        try:
            columns, rows = engine.query(sql)
        except Exception as error:
            fails(f"{what}: {engine.name} refuses it", str(error).strip().splitlines()[0][:300], *sql.splitlines())
            return 0, {}
        seconds[engine.name] = time.monotonic() - begun
        answers[engine.name] = rows_of(rows)
        # The embedded engine tells the columns with the rows.
        if names_too and columns is not None:
            names[engine.name] = columns
    if len(set(map(tuple, names.values()))) > 1:
        fails(f"{what}: the columns have other names", str(names))
    (first, expected), *others = answers.items()
    for name, rows in others:
        if rows != expected:
            only = [f"only {first}: {row}" for row in expected if row not in rows][:2]
            only += [f"only {name}: {row}" for row in rows if row not in expected][:2]
            fails(f"{what}: {len(expected)} rows in {first}, {len(rows)} in {name}", *only)
    return len(expected), seconds


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if not value:
            return "''"
        return "concat(" + ", ".join(f"'{c}'" if c.isalnum() else f"chr({ord(c)})" for c in value) + ")"
    return str(value)


def check_functions(engine):
    cases = tomllib.loads((HERE / "functions.toml").read_text())["case"]
    # Wherever a function reads columns it must give the same as of constants.
    nulls = {"subnet": ["CAST(NULL AS STRING)", "CAST(NULL AS INT)"]}
    parts = []
    for number, case in enumerate(cases):
        arguments = [literal(value) for value in case["arguments"]] or nulls.get(case["function"], ["CAST(NULL AS STRING)"])
        parts.append((number, case["function"], arguments))
    wrong = 0
    for function in sorted({case["function"] for case in cases}):
        chosen = [(number, arguments) for number, name, arguments in parts if name == function]
        width = len(chosen[0][1])
        values = ", ".join(f"({number}, {', '.join(arguments)})" for number, arguments in chosen)
        names = ", ".join(f"a{at}" for at in range(width))
        sql = f"SELECT n, {function}({names}) AS gives FROM (VALUES {values}) AS t(n, {names})"
        try:
            _, rows = engine.query(sql)
        except Exception as error:
            fails(f"{engine.name}: {function}", str(error).splitlines()[0][:300])
            continue
        for number, gives in rows:
            expected = cases[number].get("gives")
            near = isinstance(expected, float) and gives is not None and math.isclose(gives, expected, rel_tol=1e-12, abs_tol=1e-12)
            if gives != expected and not near:
                wrong += 1
                fails(f"{engine.name}: {function}{tuple(cases[number]['arguments'])} gives {gives!r}, not {expected!r}")
    print(f"{engine.name}: {len(cases) - wrong} of {len(cases)} cases of the functions are as they should be", flush=True)


def analysts():
    """The analysts' own texts, and whether they find something in the captures."""
    texts = tomllib.loads((HERE / "analysts.toml").read_text())["text"]
    return [(text["sql"], text.get("some", False)) for text in texts]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("spanlake"), arguments.add_argument("hunt")
    arguments.add_argument("--without-spark", action="store_true")
    arguments.add_argument("--master", default="local[2]")
    given = arguments.parse_args()
    spanlake, hunt = given.spanlake, given.hunt
    os.environ["TZ"] = "UTC"
    time.tzset()
    scratch = tempfile.TemporaryDirectory()
    lake = f"{scratch.name}/lake"

    def run(*arguments):
        done = subprocess.run(arguments, capture_output=True, text=True)
        # 3: some captures are damaged, and are meant to be.
        if done.returncode not in (0, 3):
            sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    run(spanlake, "replay", TOP / "pcaps", "--lake", lake, "--if-exists", "append", "--flow-interval", "10s", "--quiet")
    embedded = Embedded(hunt, lake)
    duckdb = DuckDB(run(spanlake, "schema", "--format", "duckdb", "--lake", lake))
    engines = [embedded, duckdb]
    check_functions(duckdb)
    if not given.without_spark:
        spark = Spark(run(spanlake, "schema", "--format", "spark", "--lake", lake), scratch.name, given.master)
        engines.append(spark)
        check_functions(spark)

    hunts = {path.stem: tomllib.loads(path.read_text()) for path in sorted((TOP / "hunt" / "hunts").glob("*.toml"))}
    total = 0
    for kind, exclusions in (("", ""), (" for a hostile site", HOSTILE_SITE)):
        # With the parameters of the capture that it finds something on, since "this month" is over.
        params = [f"[params.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in find["params"].items())
                  for name, hunt_ in hunts.items() for find in hunt_["finds"][:1] if "params" in find]
        site = pathlib.Path(scratch.name) / "site.toml"
        site.write_text("\n".join(params) + exclusions)
        for name in hunts:
            sql = run(hunt, "show", name, "--sql", "--site", site)
            count, seconds = compare(f"{name}{kind}", sql, engines)
            total += count
            if count == 0:
                fails(f"{name}{kind}: no rows, so that nothing is compared")
            if seconds and not kind:
                print(f"{name:36} {count:5} rows  " + "  ".join(f"{engine} {taken:5.2f} s" for engine, taken in seconds.items()), flush=True)

    texts = analysts()
    if len(engines) == 3:
        for text, finds_some in texts:
            what = f"the analysts' {' '.join(text.split())[:70]}"
            count, _ = compare(what, text, [embedded, spark], names_too=False)
            if finds_some and count == 0:
                fails(f"{what}: no rows, so that nothing is compared")
    names = ", ".join(engine.name for engine in engines)
    print(f"{len(hunts)} hunts, {total} rows in {names}; {len(texts) if len(engines) == 3 else 0} texts of analysts: {len(failures)} differences")
    sys.exit(1 if failures else 0)


main()
