//! Servers and what their clients ask of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::net::{SERVER, Wire, succeeds};
use super::process::{Process, wait_until};

pub(crate) const NGINX: &[&str] = &["nginx", "curl", "openssl"];
pub(crate) const NAMED: &[&str] = &["named", "dig"];
pub(crate) const VSFTPD: &[&str] = &["vsftpd", "curl"];
pub(crate) const KDC: &[&str] = &["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "kvno"];

/// Waits until something listens there, without a word on the wire.
fn wait_for_port(wire: &Wire, transport: &str, port: u16) {
    wait_until(&format!("{transport} port {port} is open"), || {
        let listening =
            wire.server.run("ss", &["-Hnl", &format!("--{transport}"), &format!("sport = {port}")]);
        (!listening.is_empty()).then_some(())
    });
}

/// Bytes that look like nothing, the same each time for a seed.
pub(crate) fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend((seed >> 24).to_le_bytes().into_iter().take(4));
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder that servers without rights can read.
fn open_folder(folder: &Path, name: &str) -> PathBuf {
    let inner = folder.join(name);
    fs::create_dir(&inner).unwrap();
    for path in [folder, &inner] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    inner
}

/// bind9, authoritative for example.test, where any name below `any.` is there.
pub(crate) struct Named(#[expect(dead_code, reason = "it runs while this lives")] Process);

impl Named {
    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        let folder = open_folder(folder, "named");
        let zone = folder.join("zone");
        let long = "words and more words ".repeat(11);
        fs::write(
            &zone,
            format!(
                "$TTL 300\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A {SERVER}\nwww A 192.0.2.80\n\
                 www AAAA 2001:db8::80\n@ MX 10 www\n@ TXT \"one\" \"two\"\n*.any A 192.0.2.1\nalias CNAME www\n\
                 long TXT \"{long}a\"\nlong TXT \"{long}b\"\nlong TXT \"{long}c\"\nlong TXT \"{long}d\"\n\
                 long TXT \"{long}e\"\nlong TXT \"{long}f\"\n"
            ),
        )
        .unwrap();
        let conf = folder.join("conf");
        fs::write(
            &conf,
            format!(
                "options {{ directory \"{0}\"; pid-file none; session-keyfile none; listen-on {{ any; }};\n\
                 listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; allow-query {{ any; }}; }};\n\
                 controls {{ }};\nzone \"example.test\" {{ type primary; file \"zone\"; }};\n",
                folder.display()
            ),
        )
        .unwrap();
        let mut command = wire.server.command("named");
        let mut process = Process::start(command.args(["-g", "-n", "1", "-c"]).arg(conf));
        process.wait_for("running");
        wait_for_port(wire, "udp", 53);
        Self(process)
    }

    /// Names that are there and not, by UDP and TCP, one too long for a datagram.
    pub(crate) fn ask(&self, wire: &Wire) {
        let server = format!("@{SERVER}");
        for question in [
            "www.example.test A",
            "www.example.test AAAA",
            "alias.example.test A",
            "example.test MX",
            "example.test TXT",
            "none.example.test A",
            "elsewhere.test A",
            "www.example.test A +tcp",
            "long.example.test TXT +bufsize=512",
            "www.example.test A +dnssec +subnet=198.51.100.0/24",
        ] {
            let words = question.split(' ');
            let mut arguments = vec![server.as_str(), "+tries=1", "+time=5"];
            arguments.extend(words);
            wire.client.run("dig", &arguments);
        }
    }
}

/// nginx with files, compression and TLS.
pub(crate) struct Nginx {
    _process: Process,
    pub(crate) large: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

impl Nginx {
    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        let folder = open_folder(folder, "nginx");
        let top = folder.display().to_string();
        let large = noise(7, 3_000_000);
        let text = "All work and no play makes Jack a dull boy.\n".repeat(4000).into_bytes();
        let files = open_folder(&folder, "files");
        fs::write(files.join("large.bin"), &large).unwrap();
        fs::write(files.join("text.txt"), &text).unwrap();
        fs::write(files.join("index.html"), "<!doctype html><title>here</title>").unwrap();
        self_signed(&folder);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {top}/{name};\n"))
            .concat();
        let conf = folder.join("conf");
        fs::write(
            &conf,
            format!(
                "daemon off; master_process off; pid {top}/pid; error_log stderr; user root;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{ access_log off; {temporary} types {{ text/plain txt; text/html html; }}\n\
                 gzip on; gzip_types text/plain; keepalive_requests 100000; keepalive_timeout 300;\n\
                 server {{ listen 80 backlog=4096; root {}; location /any/ {{ return 200 \"$uri\\n\"; }} }}\n\
                 server {{ listen 443 ssl; ssl_protocols TLSv1.2 TLSv1.3;\n\
                 ssl_certificate {top}/cert.pem; ssl_certificate_key {top}/key.pem;\n\
                 root {}; }} }}\n",
                files.display(),
                files.display()
            ),
        )
        .unwrap();
        let mut command = wire.server.command("nginx");
        let process = Process::start(command.args(["-e", "stderr", "-p", &top, "-c"]).arg(conf));
        wait_for_port(wire, "tcp", 443);
        Self { _process: process, large, text }
    }

    /// Two requests on one connection, a download, a compressed page, an upload, and what is not there.
    pub(crate) fn browse(&self, wire: &Wire) {
        let url = |path: &str| format!("http://{SERVER}{path}");
        let curl = |arguments: &[&str]| {
            let mut all = vec!["--silent", "--show-error", "--max-time", "20"];
            all.extend(arguments);
            wire.client.run("curl", &all)
        };
        curl(&["--output", "/dev/null", &url("/"), "--output", "/dev/null", &url("/none")]);
        curl(&["--output", "/dev/null", &url("/large.bin")]);
        curl(&["--compressed", "--output", "/dev/null", &url("/text.txt")]);
        curl(&["--data", "name=value", "--output", "/dev/null", &url("/any/form")]);
        curl(&["--insecure", "--output", "/dev/null", &format!("https://{SERVER}/")]);
        let version = ["--insecure", "--tls-max", "1.2", "--resolve"];
        let host = [&format!("host.example.test:443:{SERVER}"), "--output", "/dev/null"];
        curl(&[version.as_slice(), &host, &["https://host.example.test/"]].concat());
    }
}

fn self_signed(folder: &Path) {
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=host.example.test", "-addext", "subjectAltName=DNS:host.example.test"]);
    succeeds(command.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("cert.pem")));
}

/// `openssl s_server`, which s_client talks to.
pub(crate) struct OpenSsl(#[expect(dead_code, reason = "it runs while this lives")] Process);

impl OpenSsl {
    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        let folder = open_folder(folder, "openssl");
        self_signed(&folder);
        let mut command = wire.server.command("openssl");
        command.args(["s_server", "-accept", "4433", "-www", "-alpn", "h2,http/1.1", "-cert"]);
        command.arg(folder.join("cert.pem")).arg("-key").arg(folder.join("key.pem")).stdout(Stdio::null());
        let process = Process::start(&mut command);
        wait_for_port(wire, "tcp", 4433);
        Self(process)
    }

    pub(crate) fn talk(&self, wire: &Wire) {
        let connect = format!("{SERVER}:4433");
        for version in ["-tls1_2", "-tls1_3"] {
            let arguments = ["s_client", "-connect", &connect, "-servername", "other.example.test"];
            wire.client.run("openssl", &[arguments.as_slice(), &["-alpn", "http/1.1", version]].concat());
        }
    }
}

/// vsftpd for anonymous users.
pub(crate) struct Vsftpd {
    _process: Process,
    pub(crate) file: Vec<u8>,
}

impl Vsftpd {
    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        let folder = open_folder(folder, "vsftpd");
        let (root, empty) = (open_folder(&folder, "root"), open_folder(&folder, "empty"));
        let file = noise(21, 400_000);
        fs::write(root.join("data.bin"), &file).unwrap();
        let conf = folder.join("conf");
        fs::write(
            &conf,
            format!(
                "listen=YES\nlisten_ipv6=NO\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\n\
                 anon_root={}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nxferlog_enable=NO\n",
                root.display(),
                empty.display()
            ),
        )
        .unwrap();
        let process = Process::start(wire.server.command("vsftpd").arg(conf));
        wait_for_port(wire, "tcp", 21);
        Self { _process: process, file }
    }

    /// Fetches a file over a passive connection, named by EPSV and by PASV, and a list.
    pub(crate) fn fetch(&self, wire: &Wire) {
        let url = format!("ftp://{SERVER}/");
        let data = format!("{url}data.bin");
        for arguments in [vec![data.as_str()], vec!["--disable-epsv", &data], vec![&url]] {
            let common = ["--silent", "--show-error", "--max-time", "20", "--output", "/dev/null"];
            wire.client.run("curl", &[common.as_slice(), &arguments].concat());
        }
    }
}

/// A KDC of MIT for EXAMPLE.TEST.
pub(crate) struct Kdc {
    _process: Process,
    folder: PathBuf,
}

impl Kdc {
    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        let folder = open_folder(folder, "kdc");
        let top = folder.display().to_string();
        fs::write(
            folder.join("krb5.conf"),
            format!(
                "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_realm = false\n dns_lookup_kdc = false\n \
                 rdns = false\n dns_canonicalize_hostname = false\n udp_preference_limit = 1\n\
                 [realms]\n EXAMPLE.TEST = {{\n  kdc = {SERVER}\n }}\n"
            ),
        )
        .unwrap();
        fs::write(
            folder.join("udp.conf"),
            fs::read_to_string(folder.join("krb5.conf")).unwrap().replace("limit = 1\n", "limit = 9999\n"),
        )
        .unwrap();
        fs::write(
            folder.join("kdc.conf"),
            format!(
                "[kdcdefaults]\n kdc_ports = 88\n kdc_tcp_ports = 88\n[realms]\n EXAMPLE.TEST = {{\n  \
                 database_name = {top}/principal\n  key_stash_file = {top}/stash\n  acl_file = {top}/acl\n }}\n\
                 [logging]\n kdc = STDERR\n"
            ),
        )
        .unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let mut command = wire.server.command(program);
            succeeds(command.args(arguments).envs(Self::environment(&folder, "krb5.conf")));
        };
        run("kdb5_util", &["create", "-s", "-P", "master", "-r", "EXAMPLE.TEST"]);
        run("kadmin.local", &["addprinc", "-pw", "secret", "+requires_preauth", "alice"]);
        run("kadmin.local", &["addprinc", "-randkey", "host/www.example.test"]);
        let mut command = wire.server.command("krb5kdc");
        command.args(["-n", "-P"]).arg(folder.join("pid")).envs(Self::environment(&folder, "krb5.conf"));
        let process = Process::start(&mut command);
        wait_for_port(wire, "tcp", 88);
        wait_for_port(wire, "udp", 88);
        Self { _process: process, folder }
    }

    fn environment(folder: &Path, conf: &str) -> [(&'static str, PathBuf); 3] {
        [
            ("KRB5_CONFIG", folder.join(conf)),
            ("KRB5_KDC_PROFILE", folder.join("kdc.conf")),
            ("KRB5CCNAME", folder.join("tickets")),
        ]
    }

    /// Logs in and asks for a ticket, by TCP and by UDP; once for a service that is not there.
    pub(crate) fn log_in(&self, wire: &Wire) {
        for conf in ["krb5.conf", "udp.conf"] {
            let environment = Self::environment(&self.folder, conf);
            let mut kinit = wire.client.command("kinit");
            kinit.arg("alice").envs(environment.clone()).stdin(Stdio::piped()).stdout(Stdio::null());
            let mut child = kinit.spawn().unwrap();
            std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"secret\n").unwrap();
            assert!(child.wait().unwrap().success());
            let mut kvno = wire.client.command("kvno");
            succeeds(kvno.arg("host/www.example.test").envs(environment.clone()));
            let mut refused = wire.client.command("kvno");
            let refused = refused.arg("host/none.example.test").envs(environment).output().unwrap();
            assert!(!refused.status.success());
        }
        // Its last acknowledgements.
        thread::sleep(Duration::from_millis(100));
    }
}
