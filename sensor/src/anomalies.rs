//! Rows of `anomaly`.

use parsers::context::Anomalies;
use schemas::anomaly::Anomaly;
use schemas::batch::Batch;
use schemas::envelope::Envelope;

/// Rows of what was odd in a flow, or with frames that have none.
pub fn emit(envelope: &Envelope, anomalies: &Anomalies, batch: &mut Batch<Anomaly>) {
    for entry in anomalies.entries() {
        let envelope = Envelope { ts: entry.ts, packet: entry.packet, ..*envelope };
        batch.push(envelope, |arena| Anomaly {
            name: entry.name,
            detail: if entry.detail.is_empty() {
                schemas::arena::Text::NULL
            } else {
                arena.text(entry.detail.as_bytes())
            },
            protocol: entry.protocol,
            occurrences: entry.occurrences,
        });
    }
}
