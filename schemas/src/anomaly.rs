//! `anomaly`: what was malformed or odd; one row for each flow and name.

use crate::arena::{Arena, Text};
use crate::column::{Column, Value};
use crate::envelope::{self, Row};
use crate::packed::{packed, packed_names};
use crate::symbols;
use crate::table::Record;

/// The record of the table `anomaly`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Anomaly {
    /// Which.
    pub name: AnomalyName,
    /// What exactly, of the first occurrence.
    pub detail: Text,
    /// The application protocol it was found in, or null.
    pub protocol: Option<&'static str>,
    /// How often in this flow.
    pub occurrences: i64,
}

/// The part of the stack that an anomaly belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The capture file or interface.
    Capture,
    /// Link layer and encapsulations.
    Link,
    /// IP and fragments.
    Network,
    /// TCP, UDP, ICMP, SCTP.
    Transport,
    /// Application protocols.
    Application,
    /// The sensor's own limits.
    Sensor,
}

impl Layer {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Link => "link",
            Self::Network => "network",
            Self::Transport => "transport",
            Self::Application => "application",
            Self::Sensor => "sensor",
        }
    }
}

packed!(Anomaly { name, detail, protocol, occurrences });
packed_names!(AnomalyName);

impl Record for Anomaly {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.detail = to.copy_text(self.detail, from);
    }

    fn held(&self, _: &Arena) -> usize {
        self.detail.len()
    }
}

/// The columns of `anomaly`.
pub(crate) fn columns() -> Vec<Column<Row<Anomaly>>> {
    let mut columns = envelope::columns();
    columns.extend([
        Column::new(
            "name",
            Value::symbol(|row: &Row<Anomaly>| Some(row.record.name as u16), symbols::anomaly),
            "Which, of a fixed set.",
        )
        .required(),
        Column::new(
            "detail",
            Value::text(|row: &Row<Anomaly>| row.record.detail),
            "What exactly, of the first occurrence.",
        ),
        Column::new(
            "protocol",
            Value::word(|row: &Row<Anomaly>| row.record.protocol),
            "Application protocol that it was found in; null where in none.",
        ),
        Column::new(
            "layer",
            Value::word(|row: &Row<Anomaly>| Some(row.record.name.layer().name())),
            "Where it was found: `capture`, `link`, `network`, `transport`, `application`, `sensor` (its own limits).",
        )
        .required(),
        Column::new(
            "occurrences",
            Value::int64(|row: &Row<Anomaly>| Some(row.record.occurrences)),
            "How often in this flow.",
        )
        .required(),
    ]);
    columns
}

/// Declares the fixed set: variant, name in the table, layer, meaning.
macro_rules! anomalies {
    ($($variant:ident $name:literal $layer:ident $doc:literal;)*) => {
        /// The fixed set of anomalies.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum AnomalyName {
            #[default]
            $(#[doc = $doc] $variant,)*
        }

        impl AnomalyName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it stands in the table.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Where it was found.
            pub fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer,)* }
            }

            /// What it means.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

anomalies! {
    CaptureDamaged "capture_damaged" Capture "The capture file is cut short or damaged; what came before was read.";
    UnknownLinkType "unknown_link_type" Capture "Packets of a link type that is not decoded.";
    TimeWentBack "time_went_back" Capture "The time stamps of packets jump backwards by more than a second.";
    LinkTruncated "link_truncated" Link "A frame ends inside its link header or an encapsulation header.";
    LinkMalformed "link_malformed" Link "A link header or an encapsulation header contradicts itself.";
    TunnelTooDeep "tunnel_too_deep" Link "More nested encapsulations than are followed.";
    IpTruncated "ip_truncated" Network "A packet ends inside its IP header.";
    IpMalformed "ip_malformed" Network "An IP header contradicts itself (version, header length, total length, extension headers).";
    IpChecksum "ip_checksum" Network "The checksum of an IPv4 header is wrong.";
    FragmentOverlap "fragment_overlap" Network "Fragments of a datagram overlap; the first copy counts.";
    FragmentConflict "fragment_conflict" Network "Overlapping fragments of a datagram carry different bytes; the first copy counts.";
    FragmentMalformed "fragment_malformed" Network "A fragment has an impossible offset or length.";
    FragmentIncomplete "fragment_incomplete" Network "A datagram was never completed by its fragments.";
    FragmentShed "fragment_shed" Sensor "Fragments were given up because their table was full.";
    TransportTruncated "transport_truncated" Transport "A packet ends inside its transport header, by the IP length.";
    TransportMalformed "transport_malformed" Transport "A transport header contradicts itself.";
    TransportChecksum "transport_checksum" Transport "The checksum of a TCP, UDP, ICMP or SCTP packet is wrong; it was counted and not analysed.";
    TcpOverlapConflict "tcp_overlap_conflict" Transport "A TCP segment carries other bytes than an earlier one at the same place; the first copy counts.";
    TcpResetOutOfWindow "tcp_reset_out_of_window" Transport "A RST lies outside the window; a receiver would not take it.";
    TcpFinOutOfWindow "tcp_fin_out_of_window" Transport "A FIN lies outside the window; a receiver would not take it.";
    TcpDataOnSyn "tcp_data_on_syn" Transport "A SYN carries data (TCP fast open, or an evasion).";
    TcpUrgent "tcp_urgent" Transport "A segment with urgent data; the urgent byte is analysed inline.";
    TcpPaws "tcp_paws" Transport "A segment whose time stamp is older than the last one (RFC 7323); a receiver would drop it.";
    TcpLowHopLimit "tcp_low_hop_limit" Transport "A packet whose hop limit is far below that of its flow: it may never reach the host.";
    TcpSynWithFlags "tcp_syn_with_flags" Transport "A SYN together with FIN or RST.";
    TcpFinWithReset "tcp_fin_with_reset" Transport "A FIN together with RST.";
    TcpSequenceJump "tcp_sequence_jump" Transport "A sequence number far outside the window of its flow.";
    TcpOriginatorSynAck "tcp_originator_syn_ack" Transport "A flow that begins with SYN+ACK from its originator.";
    TcpAckUnseen "tcp_ack_unseen" Transport "Bytes were acknowledged that were never seen: lost before the sensor.";
    StreamShed "stream_shed" Sensor "Out-of-order stream bytes were given up because their memory was full.";
    FilePartsShed "file_parts_shed" Sensor "Parts of a file that waited for the others were not joined, because there were too many or their memory was full; they are rows of their own.";
    TransferLate "transfer_late" Sensor "A data connection was announced when its first bytes had gone by; what it carried is not known.";
    TransfersShed "transfers_shed" Sensor "More data connections were announced than are waited for; the oldest was forgotten, so what it carries is not known.";
    VlanOneSided "vlan_one_sided" Link "Only one direction of the flow carries a VLAN tag.";
    ValueCut "value_cut" Sensor "A value was cut at its documented limit.";
    DnsMalformed "dns_malformed" Application "A DNS message could not be read to its end; what could be read stands in its row.";
    DnsNameLoop "dns_name_loop" Application "A compressed DNS name points at itself or forward.";
    DnsCountMismatch "dns_count_mismatch" Application "A DNS message holds fewer records than its header says.";
    DnsTrailingBytes "dns_trailing_bytes" Application "Bytes after the last record of a DNS message.";
    DnsPendingShed "dns_pending_shed" Sensor "Too many unanswered DNS queries in one flow; the oldest was written without its response.";
    HttpMalformed "http_malformed" Application "An HTTP message or frame could not be read; what follows is read again where the next one begins.";
    HttpOdd "http_odd" Application "The head of an HTTP message breaks the rules, and readers may disagree about it.";
    HttpAmbiguous "http_ambiguous" Application "It is ambiguous where the body of an HTTP message ends (request smuggling looks like this).";
    HttpCoding "http_coding" Application "The body of an HTTP message is not of the content coding that it is said to be of, or a part of it not of its transfer encoding.";
    HttpBomb "http_bomb" Sensor "The body of an HTTP message unfolds into more, or into more parts, than the limits allow; it was cut.";
    HttpPendingShed "http_pending_shed" Sensor "Too many HTTP exchanges of one flow had not ended; the oldest was written as far as it was seen.";
    TlsMalformed "tls_malformed" Application "A message of a TLS handshake could not be read to its end, or bytes of it were lost; what could be read stands in its row.";
    X509Malformed "x509_malformed" Application "A certificate could not be read to its end; what could be read stands in its row.";
    X509Odd "x509_odd" Application "A certificate breaks the rules of RFC 5280, or the chain that it stands in holds more than is looked at.";
    QuicMalformed "quic_malformed" Application "An Initial packet of QUIC was decrypted and breaks the rules; what could be read of it counts.";
    QuicShed "quic_shed" Sensor "More connections of QUIC on one flow, or more Initial packets that could not be decrypted, than are followed; the rest is counted only.";
    KerberosMalformed "kerberos_malformed" Application "A Kerberos message could not be read to its end, or what should be one is none; what could be read stands in its row.";
    KerberosPendingShed "kerberos_pending_shed" Sensor "Too many unanswered Kerberos requests in one flow; the oldest was written without its reply.";
    FtpMalformed "ftp_malformed" Application "A line of FTP that is no command or no reply, or a line without an end; reading goes on with the next line.";
    FtpOdd "ftp_odd" Application "A command or reply of FTP breaks the rules, and readers may disagree about it.";
    FtpShed "ftp_shed" Sensor "Too many FTP commands of one flow were not answered, waited for their data connections, or were none; the oldest were written as far as they were seen, and further ones that are no commands left out.";
    ProtocolMalformed "protocol_malformed" Application "A stream that was recognised broke the rules of its protocol; its analysis ended there.";
}
