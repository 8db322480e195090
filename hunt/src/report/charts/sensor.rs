//! What the sensor itself missed.

use super::super::period::Period;
use super::super::question::{Form, Measure, Question, Said, Tone, View, bytes, count, share, text, time};
use super::super::words;

pub(in super::super) static LOSS: Question = Question {
    id: "loss",
    heading: "Loss of the sensor",
    question: "How much did the sensor not see?",
    remark: Some("Interface: the network card had no room. Ring: the kernel had none. Queue: a worker was too slow. What was lost before it came to the sensor shows only where the other side acknowledged it."),
    wide: true,
    views: &[
        View {
            title: Some("Over time"),
            form: Form::Stacked,
            sql: "\
select time, packets, interface, ring, queue,
  cast(interface as double) / greatest(packets + interface + ring + queue, 1) as interface_share,
  cast(ring as double) / greatest(packets + interface + ring + queue, 1) as ring_share,
  cast(queue as double) / greatest(packets + interface + ring + queue, 1) as queue_share,
  unseen, unseen_bytes
from (
  select {bin} as time,
    greatest(sum(case when worker < 0 then packets else 0 end), sum(case when worker >= 0 then packets else 0 end)) as packets,
    sum(coalesce(dropped_interface, 0)) as interface, sum(coalesce(dropped_ring, 0)) as ring,
    sum(coalesce(dropped_queue, 0)) as queue, sum(coalesce(acked_unseen_segments, 0)) as unseen,
    sum(coalesce(acked_unseen_bytes, 0)) as unseen_bytes
  from sensor_stats
  where {period}
  group by 1) as binned
order by time
limit 1000",
            columns: &[
                time("time", "From"),
                count("packets", "Packets taken in"),
                count("interface", "Lost: interface"),
                count("ring", "Lost: ring"),
                count("queue", "Lost: queue"),
                share("interface_share", "Share: interface"),
                share("ring_share", "Share: ring"),
                share("queue_share", "Share: queue"),
                count("unseen", "Gaps before the sensor"),
                bytes("unseen_bytes", "Bytes in them"),
            ],
            measures: &[
                Measure { label: "Share of packets lost", columns: &["interface_share", "ring_share", "queue_share"] },
                Measure { label: "Packets lost", columns: &["interface", "ring", "queue"] },
                Measure { label: "Gaps before the sensor", columns: &["unseen"] },
            ],
            time: Some("time"),
            empty: "The sensor has written nothing about itself in this period.",
            ..View::BARS
        },
        View {
            title: Some("By sensor"),
            form: Form::Table,
            sql: "\
select sensor, source, greatest(sum(case when worker < 0 then packets else 0 end), sum(case when worker >= 0 then packets else 0 end)) as packets,
  sum(coalesce(dropped_interface, 0) + coalesce(dropped_ring, 0) + coalesce(dropped_queue, 0)) as lost,
  sum(coalesce(acked_unseen_segments, 0)) as unseen, max(ts) as last_seen, count(*) over () as rows_in_all
from sensor_stats
where {period}
group by sensor, source
order by lost desc, unseen desc, packets desc, sensor, source
limit 100",
            columns: &[
                text("sensor", "Sensor"),
                text("source", "Interface or capture"),
                count("packets", "Packets"),
                count("lost", "Lost"),
                count("unseen", "Gaps before it"),
                time("last_seen", "Last heard of"),
            ],
            label: Some("sensor"),
            marks: 8,
            empty: "No sensor has written about itself in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [rows, _] = views else { return Said::new(Tone::Plain, "") };
        if rows.is_empty() {
            return Said::new(Tone::Watch, "The sensor has written nothing about itself, so what it missed is not known.");
        }
        let lost = rows.sum("interface") + rows.sum("ring") + rows.sum("queue");
        let packets = rows.sum("packets");
        let seen = words::many(packets, "packet", "packets");
        let before = match rows.sum("unseen") {
            0 => String::new(),
            gaps => format!("; {} lost before it", words::many(gaps, "stretch was", "stretches were")),
        };
        if lost == 0 {
            let tone = if before.is_empty() { Tone::Good } else { Tone::Watch };
            return Said::new(tone, format!("The sensor took in {seen} and lost none{before}."));
        }
        let part = lost as f64 / (packets + lost) as f64;
        let tone = if part < 0.001 { Tone::Watch } else { Tone::Bad };
        Said::new(
            tone,
            format!("The sensor took in {seen} and lost {} ({}){before}.", words::count(lost), words::share(part, 1.0)),
        )
    },
};
