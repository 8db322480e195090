//! The program as its user meets it: exit codes, and one line for each thing that went wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder of its own, with a capture of one packet.
struct Scene {
    folder: TempDir,
    capture: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let capture = folder.path().join("one packet.pcap");
        fs::write(&capture, one_packet()).expect("the temporary folder can be written");
        Self { folder, capture }
    }

    /// Writes a file of this folder, and says where it is.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("the temporary folder can be written");
        path.display().to_string()
    }

    fn lake(&self) -> String {
        self.folder.path().join("lake").display().to_string()
    }

    /// Replays the capture with these options.
    fn replay(&self, options: &[&str]) -> Output {
        let (capture, lake) = (self.capture.display().to_string(), self.lake());
        spanlake(&[&["replay", &capture, "--lake", &lake], options].concat())
    }

    /// Replays one input alone.
    fn replay_of(&self, input: &str) -> Output {
        spanlake(&["replay", input, "--lake", &self.lake()])
    }
}

fn spanlake(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spanlake"))
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("SPANLAKE_LOG")
        .output()
        .expect("the program can be started")
}

/// A pcap that holds one UDP datagram from 10.0.0.1 port 4000 to 10.0.0.2 port 9.
fn one_packet() -> Vec<u8> {
    let frame: &[&[u8]] = &[
        b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00", // Ethernet, IPv4
        b"\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\x66\xca\x0a\x00\x00\x01\x0a\x00\x00\x02", // IPv4, UDP
        b"\x0f\xa0\x00\x09\x00\x0c\x00\x00spam",                     // no checksum
    ];
    let frame = frame.concat();
    let length = u32::try_from(frame.len()).expect("it is short").to_le_bytes();
    let when = [1_700_000_000_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    [PCAP_HEADER, &when, &length, &length, &frame].concat()
}

/// Asserts that a run ended with this code, nothing on standard output, and one line on standard error that begins as
/// all do and holds every one of the words.
#[track_caller]
fn fails(output: &Output, code: i32, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("spanlake: "), "{error}");
    for word in words {
        assert!(error.contains(word), "{word} is not in: {error}");
    }
}

/// Asserts that a run ended well without a word on standard error, and returns what it printed.
#[track_caller]
fn succeeds(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_unknown_option_is_named_with_the_nearest_one() {
    fails(&spanlake(&["replay", "x", "--lak", "y"]), 2, &["unknown option '--lak'; did you mean '--lake'?"]);
    fails(&spanlake(&["replay", "x", "--zzzzzzzz"]), 2, &["unknown option '--zzzzzzzz'", "--help"]);
}

#[test]
fn an_unknown_command_is_named_with_the_nearest_one() {
    fails(&spanlake(&["repaly", "x"]), 2, &["unknown command 'repaly'; did you mean 'replay'?"]);
    fails(&spanlake(&[]), 2, &["no command", "--help"]);
}

#[test]
fn a_missing_argument_is_named() {
    fails(&spanlake(&["replay", "--lake", "x"]), 2, &["CAPTURE", "missing"]);
    fails(&spanlake(&["replay", "x", "--lake"]), 2, &["--lake", "value"]);
    fails(&spanlake(&["show", "--lake", "x"]), 2, &["TABLE", "missing"]);
    let scene = Scene::new();
    fails(&spanlake(&["replay", &scene.capture.display().to_string()]), 2, &["--lake DIR is missing"]);
}

#[test]
fn an_invalid_value_is_named_with_what_is_valid() {
    let scene = Scene::new();
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--checksums", "autp"], &["--checksums: 'autp'", "auto, verify, ignore", "did you mean 'auto'?"]),
        (&["--workers", "0"], &["--workers: '0'", "1 to 256"]),
        (&["--flow-interval", "10"], &["--flow-interval: '10' is not a duration", "10s"]),
        (&["--tcp-timeout", "0s"], &["--tcp-timeout: '0s'", "zero"]),
        (&["--stream-memory", "1XB"], &["--stream-memory: '1XB' is not a size", "512MiB"]),
        (&["--local-nets", "10.0.0.0/99"], &["--local-nets: '10.0.0.0/99' is not a network"]),
        (&["--hash", "sha256,crc"], &["--hash: 'crc'", "md5, sha1, sha256"]),
        (&["--extract-types", "pdf"], &["--extract-types: 'pdf'", "application/pdf"]),
        (&["--keep-days", "x"], &["--keep-days: 'x'", "1 to 36500"]),
        (&["--workers", "1", "--workers", "2"], &["--workers: it was given twice"]),
    ];
    for (options, words) in cases {
        fails(&scene.replay(options), 2, words);
    }
}

#[test]
fn an_invalid_filter_is_refused_with_what_libpcap_says() {
    fails(
        &Scene::new().replay(&["--filter", "udp porrt 53"]),
        2,
        &["--filter: 'udp porrt 53'", "syntax error"],
    );
}

#[test]
fn a_file_of_roots_that_holds_none_is_named() {
    let scene = Scene::new();
    fails(
        &scene.replay(&["--roots", "/no/such.pem"]),
        1,
        &["cannot take roots from /no/such.pem", "No such file"],
    );
    let notes = scene.file("notes.pem", "these are notes\n");
    fails(&scene.replay(&["--roots", &notes]), 1, &[&notes, "it holds no certificate, in PEM or DER"]);
    assert!(!Path::new(&scene.lake()).exists());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../parsers/src/x509/tests/root.der");
    assert!(scene.replay(&["--roots", root]).status.success());
}

#[test]
fn commands_that_come_later_are_unknown() {
    for command in ["slice", "doctor"] {
        fails(&spanlake(&[command]), 2, &[&format!("unknown command '{command}'")]);
    }
}

#[test]
fn what_is_wrong_with_a_live_capture_is_named() {
    let scene = Scene::new();
    let lake = scene.lake();
    for (options, exit, named) in [
        (vec![], 2, "-i NIC is missing"),
        (vec!["-i", "a/b"], 2, "'a/b' is no name of an interface"),
        (vec!["-i", "eth0", "--ring-size", "4096"], 2, "'4096' is less than 1MiB"),
        (vec!["-i", "eth0", "--cores", "3-1"], 2, "'3-1' is not a list of cores such as 0-3,8"),
        (
            vec!["-i", "eth0", "--metrics", "localhost"],
            2,
            "'localhost' is not an address such as 127.0.0.1:9477, nor off",
        ),
        (vec!["-i", "eth0", "--filter", "prot tcp"], 2, "--filter"),
    ] {
        fails(&spanlake(&[&["capture", "--lake", &lake], options.as_slice()].concat()), exit, &[named]);
    }
    // By root for there is no such interface, by others for they may not look.
    fails(&spanlake(&["capture", "--lake", &lake, "-i", "nosuchnic0"]), 1, &["nosuchnic0"]);
}

#[test]
fn a_wrong_path_is_named() {
    let scene = Scene::new();
    fails(&scene.replay_of("/no/such/capture.pcap"), 1, &["/no/such/capture.pcap: no such file"]);
}

#[test]
fn an_empty_file_is_named() {
    let scene = Scene::new();
    let empty = scene.file("empty.pcap", "");
    fails(&scene.replay_of(&empty), 1, &[&empty, "is empty"]);
}

#[test]
fn a_file_that_is_no_capture_is_named_with_what_would_be_one() {
    let scene = Scene::new();
    let text = scene.file("notes.pcap", "these are notes\n");
    fails(&scene.replay_of(&text), 1, &[&text, "not a capture", "pcapng"]);
}

#[test]
fn a_folder_without_captures_is_named() {
    let scene = Scene::new();
    let folder = scene.folder.path().join("folder");
    fs::create_dir(&folder).expect("the temporary folder can be written");
    scene.file("folder/notes.txt", "these are notes\n");
    let folder = folder.display().to_string();
    fails(&scene.replay_of(&folder), 1, &[&folder, "no capture"]);
}

#[test]
fn a_lake_that_cannot_be_written_is_named_before_anything_is_read() {
    let scene = Scene::new();
    let file = scene.file("file", "in the way");
    let capture = scene.capture.display().to_string();
    for lake in [file.as_str(), &format!("{file}/lake"), "/proc/lake"] {
        fails(
            &spanlake(&["replay", &capture, "--lake", lake]),
            1,
            &["cannot write the lake", lake, "--lake"],
        );
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_named_and_leaves_only_whole_files() {
    let disk = tempfile::tempdir().expect("a temporary folder");
    let path = disk.path().display().to_string();
    let run = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).status().expect("the program can be started").success()
    };
    assert!(run("mount", &["-t", "tmpfs", "-o", "size=96k", "tmpfs", &path]), "needs the right to mount");
    let lake = format!("{path}/lake");
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/dns").display().to_string();
    let output = spanlake(&["replay", &captures, "--lake", &lake]);
    let shown = spanlake(&["show", "dns", "--lake", &lake, "--limit", "1"]);
    let mut left = Vec::new();
    let mut folders = vec![PathBuf::from(&lake)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the lake can be read") {
            let path = entry.expect("the lake can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "parquet") {
                left.push(path);
            }
        }
    }
    assert!(run("umount", &[&path]));
    fails(&output, 1, &[&lake, "No space left on device", "what had been published is whole"]);
    assert_eq!(succeeds(&shown).lines().count(), 2, "what had been written can be read");
    assert!(left.is_empty(), "unfinished files were left: {left:?}");
}

#[test]
fn one_input_that_is_no_capture_does_not_stop_the_others() {
    let scene = Scene::new();
    let empty = scene.file("rotated.pcap", "");
    let output = scene.replay(&[&empty]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("{empty}: is empty")));
    fails(&scene.replay(&[&empty, "--quiet"]), 3, &[&empty, "empty"]);
}

#[test]
fn a_capture_that_is_cut_short_is_read_as_far_as_it_goes() {
    let scene = Scene::new();
    let whole = one_packet();
    let cut = [whole.as_slice(), whole.get(PCAP_HEADER.len()..whole.len() - 3).unwrap_or_default()].concat();
    let cut = scene.file("cut.pcap", cut);
    let output = scene.replay_of(&cut);
    assert_eq!(output.status.code(), Some(3));
    let summary = String::from_utf8_lossy(&output.stdout);
    assert!(summary.starts_with("packets    1\n"), "{summary}");
    assert!(summary.contains(&format!("{cut}: cut short")), "{summary}");
}

#[test]
fn a_replay_prints_a_summary_as_text_or_as_one_object() {
    let scene = Scene::new();
    let text = succeeds(&scene.replay(&[]));
    assert!(text.starts_with("packets    1\n"), "{text}");
    let json = succeeds(&scene.replay(&["--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!((&json["packets"], &json["rows"]["flows"]), (&1.into(), &1.into()));
    assert_eq!(succeeds(&scene.replay(&["--quiet"])), "");
}

#[test]
fn replaying_the_same_capture_twice_does_not_double_its_rows() {
    let scene = Scene::new();
    let rows = || {
        succeeds(&spanlake(&["show", "flows", "--lake", &scene.lake(), "--format", "json"])).lines().count()
    };
    succeeds(&scene.replay(&[]));
    succeeds(&scene.replay(&[]));
    assert_eq!(rows(), 1);
    assert_eq!(scene.replay(&["--if-exists", "refuse"]).status.code(), Some(1));
    assert_eq!(rows(), 1);
    succeeds(&scene.replay(&["--if-exists", "append"]));
    assert_eq!(rows(), 2);
}

#[test]
fn what_a_replay_wrote_is_shown() {
    let scene = Scene::new();
    let lake = scene.lake();
    succeeds(&scene.replay(&["--sensor", "here"]));
    let text = succeeds(&spanlake(&[
        "show",
        "flows",
        "--lake",
        &lake,
        "--columns",
        "src_ip.address,src_port,sensor",
    ]));
    assert_eq!(text, "src_ip.address  src_port  sensor\n10.0.0.1            4000  here\n");
    let json = succeeds(&spanlake(&["show", "flows", "--lake", &lake, "--format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(json["dst_ip"]["address"], "10.0.0.2");
    assert_eq!(json["src_bytes"], 4);
    assert_eq!(json["ts"], "2023-11-14T22:13:20.000000Z");
    let uid = json["uid"].as_str().expect("a flow has a uid");
    let one = succeeds(&spanlake(&["show", "flows", "--lake", &lake, "--uid", uid, "--limit", "1"]));
    assert_eq!(one.lines().count(), 2);
    let none = spanlake(&["show", "flows", "--lake", &lake, "--uid", "nobody"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no rows of flow nobody"));
    fails(
        &spanlake(&["show", "flows", "--lake", &lake, "--columns", "src_prt"]),
        1,
        &["src_prt", "src_port"],
    );
}

#[test]
fn a_folder_is_read_with_all_captures_below_it_by_their_magic_numbers() {
    let scene = Scene::new();
    fs::create_dir_all(scene.folder.path().join("a/b")).expect("the temporary folder can be written");
    scene.file("a/b/no name of a capture", one_packet());
    scene.file("a/notes.pcap", "these are notes\n");
    let summary = succeeds(&scene.replay_of(&scene.folder.path().join("a").display().to_string()));
    assert!(summary.starts_with("packets    1\n"), "{summary}");
}

#[test]
fn a_capture_named_twice_is_read_once() {
    let scene = Scene::new();
    let summary = succeeds(&scene.replay(&[&scene.capture.display().to_string()]));
    assert!(summary.starts_with("packets    1\n"), "{summary}");
}

#[test]
fn standard_input_is_a_capture() {
    let scene = Scene::new();
    let output = Command::new(env!("CARGO_BIN_EXE_spanlake"))
        .args(["replay", "-", "--lake", &scene.lake()])
        .stdin(fs::File::open(&scene.capture).expect("the capture is there"))
        .output()
        .expect("the program can be started");
    assert!(succeeds(&output).starts_with("packets    1\n"));
}

#[test]
fn the_configuration_file_is_read_and_the_command_line_wins() {
    let scene = Scene::new();
    let lake = scene.lake();
    let file = scene.file("sensor.toml", format!("lake = \"{lake}\"\nworkers = 1\nformat = \"json\"\n"));
    let capture = scene.capture.display().to_string();
    let json = succeeds(&spanlake(&["replay", &capture, "--config", &file]));
    assert!(json.starts_with('{'), "{json}");
    assert!(Path::new(&lake).is_dir());
    let text = succeeds(&spanlake(&["replay", &capture, "--config", &file, "--format", "text"]));
    assert!(text.starts_with("packets"), "{text}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    let scene = Scene::new();
    let file = scene.file("sensor.toml", "workers = 1\n\nflow-intervall = \"5m\"\n");
    let words = ["sensor.toml, line 3: unknown key 'flow-intervall'; did you mean 'flow-interval'?"];
    fails(&scene.replay(&["--config", &file]), 2, &words);
}

#[test]
fn a_wrong_value_is_named_with_its_line_and_what_is_expected() {
    let scene = Scene::new();
    let cases = [
        ("workers = \"two\"", "line 1: workers: a whole number is expected, this is text"),
        ("\nworkers = 0", "line 2: workers: '0' is not a whole number from 1 to 256"),
        ("keep-duplicates = 1", "keep-duplicates: true or false is expected, this is a whole number"),
        ("flow-interval = 10", "flow-interval: a duration in quotes, as \"10s\", is expected"),
        ("local-nets = [1]", "local-nets: a list of texts in quotes is expected, this holds a whole number"),
        ("checksums = \"off\"", "checksums: 'off' is not one of auto, verify, ignore"),
        ("filter = \"udp porrt 53\"", "filter: 'udp porrt 53' is no filter"),
        ("sensor = [", "line 1: "),
        ("config = \"other.toml\"", "unknown key 'config'"),
    ];
    for (text, word) in cases {
        let file = scene.file("sensor.toml", text);
        fails(&scene.replay(&["--config", &file]), 2, &["sensor.toml", word]);
    }
    fails(&scene.replay(&["--config", "/no/such.toml"]), 2, &["/no/such.toml", "No such file"]);
}

#[test]
fn show_names_an_unknown_table_and_a_missing_lake() {
    fails(&spanlake(&["show", "flow", "--lake", "x"]), 2, &["no table 'flow'; did you mean 'flows'?"]);
    fails(&spanlake(&["show", "flows", "--lake", "/no/such"]), 1, &["no lake at /no/such", "replay"]);
}

#[test]
fn schema_prints_every_format() {
    let formats =
        [("markdown", "## flows"), ("json", "\"flows\""), ("spark", "CREATE"), ("duckdb", "CREATE")];
    for (format, word) in formats {
        let text = succeeds(&spanlake(&["schema", "--format", format, "--lake", "/data/lake"]));
        assert!(text.contains(word), "{text}");
        let one = succeeds(&spanlake(&["schema", "anomaly", "--format", format]));
        assert!(one.contains("anomaly") && one.len() < text.len(), "{one}");
        let has_functions = |text: &str| text.contains("MACRO registered_domain(name)");
        assert_eq!((has_functions(&text), has_functions(&one)), (format == "duckdb", false), "{format}");
    }
    let json = succeeds(&spanlake(&["schema", "--format", "json"]));
    assert!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON").is_array());
    fails(&spanlake(&["schema", "anomalies"]), 2, &["did you mean 'anomaly'?"]);
}

#[test]
fn a_table_without_files_is_opened_empty_once_the_lake_is_made() {
    let scene = Scene::new();
    let lake = scene.lake();
    let ddl = |table: &str| succeeds(&spanlake(&["schema", table, "--format", "duckdb", "--lake", &lake]));
    assert!(ddl("anomaly").contains("read_parquet"), "nothing is known of a lake yet to be made");
    succeeds(&scene.replay(&[]));
    assert!(ddl("flows").contains("read_parquet"));
    assert!(!ddl("anomaly").contains("read_parquet"));
    assert!(ddl("anomaly").contains("WHERE false"));
}

const STAGES: [&str; 8] = ["walk", "decode", "flows", "sessions", "rows", "columns", "encode", "disk"];

/// What a benchmark printed as JSON.
#[track_caller]
fn figures(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn bench_measures_every_stage() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    let text = succeeds(&spanlake(&["bench", &capture, "--runs", "1", "--workers", "2"]));
    let mut lines = text.lines().filter_map(|line| line.split_whitespace().next());
    let printed: Vec<&str> = lines.by_ref().skip_while(|word| *word != "stage").skip(1).collect();
    assert_eq!(printed, STAGES);
    assert!(text.starts_with("1 packet, 46 B; 1 run on "), "{text}");
    assert!(text.contains("2 workers"), "{text}");
    fails(&spanlake(&["bench", "-"]), 2, &["standard input"]);
}

#[test]
fn bench_has_a_table_for_each_number_of_workers_and_leaves_nothing_behind() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = folder.path().join("lake").display().to_string();
    // An option that is given twice counts the last time; so does what a measurement is told.
    let options = ["--workers", "1,2,1", "--runs", "9", "--runs", "2", "--format", "json", "--lake", &lake];
    let output = spanlake(&[&["bench"], &options[..], &["--", &capture]].concat());
    let json = figures(&output);
    assert_eq!((output.status.code(), json["runs"].as_u64()), (Some(0), Some(2)));
    let stages = json["stages"].as_array().expect("a list of stages");
    let named = stages.iter().map(|stage| (stage["workers"].as_u64(), stage["stage"].as_str()));
    let expected = [1, 2].into_iter().flat_map(|workers| STAGES.map(|stage| (Some(workers), Some(stage))));
    assert!(named.eq(expected), "{json}");
    for stage in stages {
        assert_eq!((&stage["packets"], &stage["bytes"]), (&1.into(), &46.into()), "{stage}");
        for figure in ["seconds", "peak_memory_bytes"] {
            assert!(stage[figure].as_f64().is_some_and(|figure| figure > 0.0), "{figure}: {stage}");
        }
    }
    assert_eq!(json["scaling"][0]["workers"], 2);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 0);
}

#[test]
fn bench_measures_a_single_stage_in_its_own_process() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    for stage in STAGES {
        let output = spanlake(&["bench", &capture, "--only", stage, "--workers", "1", "--format", "json"]);
        let json = figures(&output);
        assert_eq!(json["stages"].as_array().map(Vec::len), Some(1), "{json}");
        assert_eq!(json["stages"][0]["stage"], stage);
        // The flow, and statistics of the reader and of the worker.
        let makes_rows = ["rows", "columns", "encode", "disk"].contains(&stage);
        assert_eq!(json["stages"][0]["rows"], if makes_rows { 3 } else { 0 }, "{stage}");
    }
}

#[test]
fn bench_holds_a_measurement_to_its_cores() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    let bench = |more: &[&str]| spanlake(&[&["bench", &capture, "--hold-cores"], more].concat());
    let text = succeeds(&bench(&["--runs", "1", "--workers", "1"]));
    assert!(text.contains("\n1 worker, as many cores\n"), "{text}");
    let one = figures(&bench(&["--only", "rows", "--workers", "1", "--format", "json"]));
    assert_eq!(one["cores"], 1, "{one}");
    fails(&bench(&["--workers", "1,256"]), 2, &["--hold-cores: 256 workers are more than the "]);
}

#[test]
fn bench_says_of_a_damaged_capture_that_it_is() {
    let scene = Scene::new();
    let whole = one_packet();
    let cut = scene.file("cut.pcap", &whole[..whole.len() - 1]);
    let output = spanlake(&["bench", &cut, "--runs", "1", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let json = figures(&output);
    assert!(json["damaged"][0]["path"].as_str().is_some_and(|path| path.ends_with("cut.pcap")), "{json}");
    let output = spanlake(&["bench", &cut, "--runs", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("damaged inputs"));
}

#[test]
fn bench_names_what_is_wrong_with_its_options_and_captures() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    let bench = |more: &[&str]| spanlake(&[&["bench", &capture], more].concat());
    fails(&bench(&["--workers", "1,0"]), 2, &["--workers", "'0'"]);
    fails(&bench(&["--runs", "0"]), 2, &["--runs", "'0'"]);
    fails(&bench(&["--only", "all"]), 2, &["'all' is no stage", "walk, decode"]);
    fails(&bench(&["--against", "tshark,snort"]), 2, &["'snort' is no program", "tcpdump"]);
    fails(&bench(&["--lake", "/no/such/lake"]), 1, &["/no/such"]);
    fails(&spanlake(&["bench", "/no/such.pcap"]), 1, &["/no/such.pcap"]);
    let text = scene.file("notes.txt", "no capture at all, but long enough to be looked at");
    fails(&spanlake(&["bench", &text]), 1, &["notes.txt"]);
}

#[test]
fn bench_skips_programs_that_are_not_there_and_says_so() {
    let scene = Scene::new();
    let capture = scene.capture.display().to_string();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_spanlake"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A program of that name which does nothing, and one that fails.
    for (name, code) in [("tshark", 0), ("tcpdump", 1)] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\necho reason >&2\nexit {code}\n")).expect("it can be written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, executable).expect("it is ours");
    }
    let output = Command::new(own)
        .args(["bench", &capture, "--runs", "1", "--format", "json"])
        .args(["--against", "tshark,tcpdump,zeek"])
        .env("PATH", folder.path())
        .output()
        .expect("the program can be started");
    let against = &figures(&output)["against"];
    assert_eq!(output.status.code(), Some(0));
    assert!(against[0]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{against}");
    assert_eq!(against[0]["beside"], "disk");
    assert!(against[1]["skipped"].as_str().is_some_and(|why| why.contains("reason")), "{against}");
    assert_eq!(against[2]["program"], "zeek");
}

#[test]
fn help_version_completions_and_manual_pages_are_printed() {
    assert!(succeeds(&spanlake(&["--help"])).contains("Examples:"));
    assert!(succeeds(&spanlake(&["replay", "--help"])).contains("Examples:"));
    assert!(succeeds(&spanlake(&["--version"])).starts_with("spanlake "));
    assert!(succeeds(&spanlake(&["completions", "bash"])).contains("--flow-interval"));
    assert!(succeeds(&spanlake(&["man"])).contains("spanlake"));
    assert!(succeeds(&spanlake(&["man", "replay"])).contains("tcp\\-attempt\\-timeout"));
    assert!(succeeds(&spanlake(&["man", "hunt"])).contains("spanlake\\-hunt"));
    fails(&spanlake(&["man", "slice"]), 2, &["'slice'"]);
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_spanlake"))
        .args(["schema", "--format", "markdown"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(succeeds(&output), "");
}

/// A little-endian pcap of Ethernet frames, without any.
const PCAP_HEADER: &[u8] =
    b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x01\x00\x00\x00";

#[test]
fn what_is_older_than_keep_days_goes_when_the_run_ends_and_is_counted() {
    let scene = Scene::new();
    let kept = scene.replay(&["--keep-days", "36500", "--format", "json"]);
    let summary = String::from_utf8_lossy(&kept.stdout).into_owned();
    assert_eq!(
        (kept.status.code(), summary.contains("\"removed\":{\"tables\":{},")),
        (Some(0), true),
        "{summary}"
    );
    assert!(Path::new(&scene.lake()).join("flows").exists());
    let gone = scene.replay(&["--keep-days", "365"]);
    let summary = String::from_utf8_lossy(&gone.stdout).into_owned();
    assert_eq!(gone.status.code(), Some(0), "{gone:?}");
    assert!(summary.contains("\nremoved by --keep-days or --keep-bytes\n  files of flows"), "{summary}");
    assert!(!Path::new(&scene.lake()).join("flows").exists());
}

#[test]
fn hunt_becomes_the_program_beside_it_with_all_that_was_typed() {
    let scene = Scene::new();
    let sensor = scene.folder.path().join("spanlake");
    fs::copy(env!("CARGO_BIN_EXE_spanlake"), &sensor).expect("the program can be copied");
    let hunt = |arguments: &[&str]| {
        Command::new(&sensor)
            .arg("hunt")
            .args(arguments)
            .env("PATH", scene.folder.path().join("bin"))
            .output()
            .expect("it starts")
    };
    let missing = hunt(&["-q", "SELECT 1"]);
    assert_eq!(missing.status.code(), Some(1));
    let line = String::from_utf8_lossy(&missing.stderr);
    assert!(
        line.starts_with("spanlake: spanlake-hunt is neither beside") && line.lines().count() == 1,
        "{line}"
    );

    let script = |at: &str, says: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = scene.file(at, format!("#!/bin/sh\necho {says} \"$@\"\nexit 3\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    fs::create_dir(scene.folder.path().join("bin")).expect("a folder");
    script("bin/spanlake-hunt", "on PATH");
    let found = hunt(&["--help"]);
    assert_eq!((found.status.code(), found.stdout), (Some(3), b"on PATH --help\n".to_vec()));
    script("spanlake-hunt", "beside");
    let found = hunt(&["-v", "--lake", "x", "run", "--config=y"]);
    assert_eq!(
        (found.status.code(), found.stdout),
        (Some(3), b"beside -v --lake x run --config=y\n".to_vec())
    );
}
