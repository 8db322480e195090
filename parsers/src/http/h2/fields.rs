//! The fields of a header block, one behind the other: what is kept of a head until its row is written.

/// Most bytes of the fields of a head, each with 32 bytes more (RFC 9113, 6.5.2): what is behind them is left out.
pub const MAX_LIST: usize = 256 * 1024;

/// What a field counts beside its name and value.
const OVERHEAD: usize = 32;

/// Fields in the order in which they came, pseudo-header fields among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    bytes: Vec<u8>,
    /// Where each name and each value ends.
    ends: Vec<(u32, u32)>,
    left_out: usize,
}

impl Fields {
    /// Appends a field, if there is room.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let (name_end, size) = (self.bytes.len() + name.len(), name.len() + value.len());
        if self.bytes.len() + self.ends.len() * OVERHEAD + size + OVERHEAD > MAX_LIST {
            self.left_out += 1;
            return;
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        // Below MAX_LIST.
        self.ends.push((name_end as u32, self.bytes.len() as u32));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(name, value)| {
            let (name, value) = (name as usize, value as usize);
            let field = (self.bytes.get(start..name), self.bytes.get(name..value));
            start = value;
            (field.0.unwrap_or_default(), field.1.unwrap_or_default())
        })
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|field| field.0 == name).map(|field| field.1)
    }

    /// Fields for which there was no room.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Appends those of `other` that are no pseudo-header fields: trailers.
    pub fn append(&mut self, other: &Self) {
        for (name, value) in other.iter().filter(|field| !is_pseudo(field.0)) {
            self.push(name, value);
        }
        self.left_out += other.left_out;
    }

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Bytes of memory that they hold.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<(u32, u32)>()
    }
}

/// Whether it is the name of a pseudo-header field (RFC 9113, 8.3).
pub fn is_pseudo(name: &[u8]) -> bool {
    name.first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_fields_in_order_up_to_the_limit_and_counts_the_others() {
        let mut fields = Fields::default();
        fields.push(b":status", b"200");
        fields.push(b"", b"");
        fields.push(b"a", &[b'x'; MAX_LIST]);
        fields.push(b"b", b"c");
        let all: Vec<_> = fields.iter().collect();
        assert_eq!(all, [(&b":status"[..], &b"200"[..]), (b"", b""), (b"b", b"c")]);
        assert_eq!((fields.value(b"b"), fields.value(b"a"), fields.left_out()), (Some(&b"c"[..]), None, 1));
    }
}
