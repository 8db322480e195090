//! Files that were carried.

use super::super::period::Period;
use super::super::question::{
    Form, Measure, Question, Said, Tone, View, bytes, count, hidden, text, time, yes,
};
use super::super::words;

pub(in super::super) static FILES: Question = Question {
    id: "files",
    heading: "Files by type",
    question: "Which kinds of files come and go in the clear, and are there programs among them?",
    remark: Some("By content, not by name; files inside of encrypted connections are not seen."),
    wide: true,
    views: &[
        View {
            title: Some("All"),
            sql: "\
select mime_type, count(*) as files, sum(coalesce(seen_bytes, 0)) as bytes,
  sum(case when is_request then 1 else 0 end) as uploads, count(distinct src_ip.address) as clients,
  coalesce(regexp_like(mime_type, 'dosexec|x-executable|x-elf|mach-binary|x-sharedlib|vnd.microsoft.portable-executable|x-msdownload|x-msi|java-archive|android.package'), false) as program,
  sum(count(*)) over () as files_in_all, count(*) over () as rows_in_all
from file
where {period}
group by mime_type
order by files desc, mime_type
limit 100",
            columns: &[
                text("mime_type", "Type"),
                count("files", "Files"),
                bytes("bytes", "Bytes seen"),
                count("uploads", "Sent by the client"),
                count("clients", "Clients"),
                yes("program", "Program"),
                hidden("files_in_all"),
            ],
            measures: &[Measure { label: "Files", columns: &["files"] }, Measure { label: "Bytes", columns: &["bytes"] }],
            label: Some("mime_type"),
            unnamed: "type not known",
            flag: Some(("program", "a program")),
            empty: "No file was seen in this period.",
            ..View::BARS
        },
        View {
            title: Some("Programs"),
            form: Form::Table,
            sql: "\
select filename, mime_type, dst_ip.address as server, src_ip.address as client, hash.sha256 as sha256, count(*) as times,
  max(ts) as last_seen, sum(count(*)) over () as programs_in_all, count(*) over () as rows_in_all
from file
where regexp_like(mime_type, 'dosexec|x-executable|x-elf|mach-binary|x-sharedlib|vnd.microsoft.portable-executable|x-msdownload|x-msi|java-archive|android.package')
  and {period}
group by 1, 2, 3, 4, 5
order by times desc, filename, sha256, server, client
limit 100",
            columns: &[
                text("filename", "Name"),
                count("times", "Times"),
                text("client", "Client"),
                text("server", "Server"),
                time("last_seen", "Last seen"),
                text("mime_type", "Type"),
                text("sha256", "SHA-256"),
                hidden("programs_in_all"),
            ],
            label: Some("filename"),
            marks: 10,
            empty: "No program was carried in the clear.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [all, programs] = views else { return Said::new(Tone::Plain, "") };
        if all.is_empty() {
            return Said::new(Tone::Plain, "No file was carried in the clear.");
        }
        let files = all.number(0, "files_in_all");
        let told = words::many(files, "file was", "files were");
        let types = words::many(all.total, "type", "types");
        match programs.number(0, "programs_in_all") {
            0 => Said::new(Tone::Good, format!("{told} seen, of {types}; none of them is a program.")),
            1 => Said::new(Tone::Watch, format!("{told} seen, of {types}; one of them is a program.")),
            more => {
                let more = words::count(more);
                Said::new(Tone::Watch, format!("{told} seen, of {types}; {more} of them are programs."))
            }
        }
    },
};
