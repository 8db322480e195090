#!/usr/bin/env python3
"""Tells DNS names that an algorithm made from ordinary ones, with a small network in TensorFlow, and scores a lake's names.

    dga.py train MODEL.keras [--ordinary NAMES.txt]
    dga.py score MODEL.keras LAKE SIGNALS.parquet [--threshold 0.9]

`train` learns from registered domains: ordinary ones from a file, a name a line (default: the home pages of Debian's
packages, by apt-cache), generated ones from the algorithms below, one of which is kept for the test alone. `score` reads the
lake's table dns with DuckDB, and writes rows of the table signal, one for each client and domain. CPU only.
"""
import argparse
import datetime
import hashlib
import os
import pathlib
import random
import re
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_"
LENGTH = 40
SUFFIXES = set()
WORDS = (
    "able age air area art back ball bank bar base bear bed bell bird blood blue board boat body book box boy bread bridge "
    "brother brown business cake call camp car card care case chair chance child church city class clear clock close cloud coat cold "
    "color corn cost country court cover cow crowd cup dance dark day deal deep desk door dream dress drink drop dry duck dust ear "
    "earth east edge egg end engine evening eye face fact fall family farm father field fire fish floor flower food foot forest "
    "friend front fruit game garden gate girl glass gold grass green ground group hair half hall hand hard hat head heart heat hill "
    "history home horse hour house ice idea iron island job key king knee lake land law leaf leg letter life light line lip list "
    "lock log lunch machine man map mark market meat milk mind mine money month moon morning mother mountain mouth music name neck "
    "night noise north nose note number ocean office oil orange page paint paper park part party past path people picture piece pin"
).split()


# --- names that an algorithm makes, in the manner of families of malware ---------------------------------------------


def by_hash(seed):
    """Hexadecimal digits of a hash of the date."""
    return hashlib.md5(f"{seed}".encode()).hexdigest()[: 12 + seed % 16]


def by_congruence(seed):
    """Letters of a linear congruential generator."""
    state, name = seed * 2654435761 % 2**32, ""
    for _ in range(8 + seed % 12):
        state = (state * 1103515245 + 12345) % 2**31
        name += chr(97 + (state >> 16) % 26)
    return name


def by_digits(seed):
    """Letters and digits mixed."""
    state = random.Random(seed)
    return "".join(state.choice(LETTERS[:36]) for _ in range(state.randint(10, 25)))


def by_syllables(seed):
    """Consonants and vowels in turn, so that it can be spoken."""
    state = random.Random(seed)
    return "".join(state.choice("bcdfghjklmnpqrstvwxz") + state.choice("aeiou") for _ in range(state.randint(4, 8)))


def by_words(seed):
    """Two English words: what is hardest to tell."""
    state = random.Random(seed)
    return state.choice(WORDS) + state.choice(WORDS)


LEARNT = [by_hash, by_congruence, by_digits, by_syllables, by_words]


def by_bits(seed):
    """Letters of a shift register, as many as there are; never learnt, only tested."""
    state, name = seed * 7919 % 65521 + 1, ""
    for _ in range(12 + seed % 5):
        for _ in range(5):
            state = (state >> 1) ^ (0xB400 if state & 1 else 0)
        name += chr(97 + state % 25)
    return name


# --- ordinary names --------------------------------------------------------------------------------------------------


def label(name):
    """The label in front of the public suffix, which is what the network looks at."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
    import spanlake_functions

    if not SUFFIXES:
        SUFFIXES.update(spanlake_functions.read_suffixes())
    domain, _ = spanlake_functions._split(name, SUFFIXES)
    return domain.split(".")[0] if domain else None


def ordinary(path):
    if path:
        text = pathlib.Path(path).read_text().split()
    else:
        text = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
        text = re.findall(r"^Homepage: *https?://([^/:\s]+)", text, re.M)
    return sorted({found for name in text if (found := label(name)) and len(found) > 3})


# --- the network -----------------------------------------------------------------------------------------------------


def numbers(labels):
    import numpy

    rows = numpy.zeros((len(labels), LENGTH), dtype="int32")
    for row, text in zip(rows, labels):
        for at, letter in enumerate(text[:LENGTH]):
            row[at] = LETTERS.find(letter) + 2  # 1: a letter of no kind, 0: none
    return rows


def network():
    import tensorflow as tf

    return tf.keras.Sequential([
        tf.keras.layers.Input((LENGTH,), dtype="int32"),
        tf.keras.layers.Embedding(len(LETTERS) + 2, 24),
        tf.keras.layers.Conv1D(96, 4, activation="relu", padding="same"),
        tf.keras.layers.Conv1D(96, 3, activation="relu", padding="same"),
        tf.keras.layers.GlobalMaxPooling1D(),
        tf.keras.layers.Dropout(0.3),
        tf.keras.layers.Dense(48, activation="relu"),
        tf.keras.layers.Dense(1, activation="sigmoid"),
    ])


def train(model_path, names_path):
    import numpy
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    real = ordinary(names_path)
    random.Random(1).shuffle(real)
    cut = len(real) * 8 // 10
    per_family = len(real) // len(LEARNT)
    made = {family.__name__: sorted({family(seed) for seed in range(1, per_family + 1)} - set(real)) for family in LEARNT}
    for names in made.values():
        random.Random(2).shuffle(names)
    learnt = [name for names in made.values() for name in names[: len(names) * 8 // 10]]
    tests = {name: names[len(names) * 8 // 10:] for name, names in made.items()}
    tests["by_bits (never learnt)"] = sorted({by_bits(seed) for seed in range(1, 2001)})
    # The same two words may be made twice; nothing that was learnt may be tested.
    known = set(learnt)
    tests = {name: [text for text in names if text not in known] for name, names in tests.items()}

    inputs = numbers(real[:cut] + learnt)
    answers = numpy.array([0.0] * cut + [1.0] * len(learnt))
    model = network()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(inputs, answers, epochs=12, batch_size=128, validation_split=0.0, verbose=2, shuffle=True)
    model.save(model_path)

    print(f"\nlearnt from {cut} ordinary and {len(learnt)} generated names")
    scores = model.predict(numbers(real[cut:]), verbose=0)[:, 0]
    for threshold in (0.5, 0.9, 0.99):
        print(f"threshold {threshold}: of {len(scores)} ordinary names {100 * (scores >= threshold).mean():.1f} % are called generated")
        for family, names in tests.items():
            found = (model.predict(numbers(names), verbose=0)[:, 0] >= threshold).mean()
            print(f"    {family:24} {len(names):5} names, {100 * found:.1f} % found")


# --- a lake ----------------------------------------------------------------------------------------------------------


def score(model_path, lake, signals_path, threshold):
    import duckdb
    import tensorflow as tf

    model = tf.keras.models.load_model(model_path)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    files = f"{lake}/dns/*/*/*.parquet"
    rows = connection.execute(
        """SELECT src_ip, any_value(dst_ip), registered_domain, min(ts), max(ts), count(*), list(DISTINCT uid ORDER BY uid)
        FROM read_parquet(?, hive_partitioning = true) WHERE registered_domain IS NOT NULL
        GROUP BY src_ip, registered_domain ORDER BY min(ts), registered_domain""",
        [files],
    ).fetchall()
    labels = [row[2].split(".")[0] for row in rows]
    scores = model.predict(numbers(labels), verbose=0)[:, 0] if rows else []
    connection.execute(
        """CREATE TABLE signal (ts TIMESTAMPTZ, signal_id VARCHAR, rule VARCHAR, title VARCHAR, severity VARCHAR, technique VARCHAR,
        src_ip STRUCT(address VARCHAR, is_local BOOLEAN, country VARCHAR, asn BIGINT, as_org VARCHAR),
        dst_ip STRUCT(address VARCHAR, is_local BOOLEAN, country VARCHAR, asn BIGINT, as_org VARCHAR),
        key VARCHAR, window_start TIMESTAMPTZ, window_end TIMESTAMPTZ, occurrences BIGINT, uids VARCHAR[], detail VARCHAR)"""
    )
    raised = 0
    for (source, server, domain, first, last, count, uids), likely in zip(rows, scores):
        if likely < threshold:
            continue
        raised += 1
        # The same evidence has the same id, whenever it is scored.
        signal_id = hashlib.sha256(f"dga-model|{source['address']}|{domain}|{first.isoformat()}".encode()).hexdigest()[:32]
        connection.execute(
            "INSERT INTO signal VALUES (?, ?, 'dga-model', 'A DNS name that an algorithm may have made', 'low', 'T1568.002', ?, ?, ?, ?, ?, ?, ?, ?)",
            [first, signal_id, source, server, f"{source['address']} {domain}", first, last, count, uids[:1000], f"{domain}: score {likely:.3f}"],
        )
    connection.execute(f"COPY signal TO '{str(signals_path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)")
    print(f"{len(rows)} pairs of client and domain, {raised} signals in {signals_path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("train")
    command.add_argument("model")
    command.add_argument("--ordinary")
    command = commands.add_parser("score")
    command.add_argument("model")
    command.add_argument("lake")
    command.add_argument("signals")
    command.add_argument("--threshold", type=float, default=0.9)
    typed = parser.parse_args()
    if typed.command == "train":
        train(typed.model, typed.ordinary)
    else:
        score(typed.model, typed.lake, typed.signals, typed.threshold)


if __name__ == "__main__":
    main()
