//! RDATA in presentation form, type by type; what is unknown or cannot be read, in the form of RFC 3597.
//!
//! Names lose their final dot, as all names in the lake; numbers stay numbers where dig knows a mnemonic.

use schemas::dns_names;
use schemas::identifier::{write_ipv4, write_ipv6};

use super::name::{self, Case, NameProblem};
use super::presentation::{base32hex, base64, date, hex, hex_groups, number, padded, quoted, unquoted};
use super::svcb;
use super::wire::Record;

/// Class IN.
const IN: u16 = 1;

/// Why RDATA does not have the form of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RdataProblem {
    /// A name inside it cannot be read.
    Name(NameProblem),
    /// A field is cut off, impossible, or followed by bytes that belong to none.
    Field,
}

/// Appends the RDATA of `record`.
///
/// # Errors
/// It does not have the form of its type; then it was written as RFC 3597 has it.
pub fn write(message: &[u8], record: &Record, out: &mut Vec<u8>) -> Result<(), RdataProblem> {
    let start = out.len();
    let mut fields = Fields { message, at: record.rdata, end: record.end };
    let outcome = match fields.write(record.record_type, out) {
        Ok(true) if fields.at == fields.end => return Ok(()),
        Ok(false) => Ok(()),
        Ok(true) => Err(RdataProblem::Field),
        Err(problem) => Err(problem),
    };
    out.truncate(start);
    generic(message.get(record.rdata..record.end).unwrap_or_default(), out);
    // Other classes give types other forms, and updates delete with records that have no RDATA (RFC 2136, 2.5).
    if record.class == IN { outcome } else { Ok(()) }
}

/// RFC 3597, 5.
fn generic(rdata: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\# ");
    number(rdata.len(), out);
    if !rdata.is_empty() {
        out.push(b' ');
        hex(rdata, out);
    }
}

/// Appends the mnemonic of a type, or `TYPE` and its number.
pub(super) fn record_type(record_type: u16, out: &mut Vec<u8>) {
    match dns_names::record_type(record_type) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(b"TYPE");
            number(record_type, out);
        }
    }
}

/// The bytes of one RDATA, read from its front.
pub(super) struct Fields<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

type Read<T> = Result<T, RdataProblem>;

impl<'a> Fields<'a> {
    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let bytes = self.message.get(self.at..self.end).and_then(|rest| rest.get(..count));
        self.at += count;
        bytes.ok_or(RdataProblem::Field)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.first_chunk().copied().ok_or(RdataProblem::Field)
    }

    fn byte(&mut self) -> Read<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    pub(super) fn short(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// What is left.
    pub(super) fn rest(&mut self) -> Read<&'a [u8]> {
        self.take(self.end - self.at.min(self.end))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    fn string(&mut self) -> Read<&'a [u8]> {
        let length = self.byte()?;
        self.take(usize::from(length))
    }

    /// A name; inside RDATA it may not reach past its end in place.
    pub(super) fn name(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.at = name::write(self.message, self.at, Case::Kept, out).map_err(RdataProblem::Name)?;
        if self.at > self.end { Err(RdataProblem::Field) } else { Ok(()) }
    }

    fn put_byte(&mut self, out: &mut Vec<u8>) -> Read<()> {
        number(self.byte()?, out);
        Ok(())
    }

    fn put_short(&mut self, out: &mut Vec<u8>) -> Read<()> {
        number(self.short()?, out);
        Ok(())
    }

    fn put_long(&mut self, out: &mut Vec<u8>) -> Read<()> {
        number(self.long()?, out);
        Ok(())
    }

    fn put_string(&mut self, out: &mut Vec<u8>) -> Read<()> {
        quoted(self.string()?, out);
        Ok(())
    }

    fn put_base64(&mut self, out: &mut Vec<u8>) -> Read<()> {
        base64(self.rest()?, out);
        Ok(())
    }

    fn put_hex(&mut self, out: &mut Vec<u8>) -> Read<()> {
        hex(self.rest()?, out);
        Ok(())
    }

    /// The fields in the order of `layout`, with blanks between them.
    fn put(&mut self, layout: &[Field], out: &mut Vec<u8>) -> Read<()> {
        for (at, field) in layout.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            match field {
                Field::Byte => self.put_byte(out)?,
                Field::Short => self.put_short(out)?,
                Field::Long => self.put_long(out)?,
                Field::Name => self.name(out)?,
                Field::String => self.put_string(out)?,
                Field::Type => record_type(self.short()?, out),
                Field::Date => date(self.long()?, out),
                Field::Hex => self.put_hex(out)?,
                Field::Base64 => self.put_base64(out)?,
            }
        }
        Ok(())
    }

    /// Character-strings up to the end, at least one.
    fn strings(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.put_string(out)?;
        while !self.is_empty() {
            out.push(b' ');
            self.put_string(out)?;
        }
        Ok(())
    }

    /// Writes the RDATA of a known type; says whether it is one.
    fn write(&mut self, record_type: u16, out: &mut Vec<u8>) -> Read<bool> {
        use Field::{Base64, Byte, Date, Hex, Long, Name, Short, String, Type};
        let layout: &[Field] = match record_type {
            1 => {
                write_ipv4(self.array()?, out);
                return Ok(true);
            }
            28 => {
                write_ipv6(&self.array()?, out);
                return Ok(true);
            }
            // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME
            2..=5 | 7..=9 | 12 | 23 | 39 => &[Name],
            6 => &[Name, Name, Long, Long, Long, Long, Long],
            11 => return self.well_known_services(out).map(|()| true),
            13 => &[String, String],
            // MINFO, RP, TALINK
            14 | 17 | 58 => &[Name, Name],
            // MX, AFSDB, RT, KX, LP
            15 | 18 | 21 | 36 | 107 => &[Short, Name],
            // TXT, ISDN, NINFO, SPF, AVC, RESINFO, WALLET, CLA
            16 | 20 | 56 | 99 | 258 | 261..=263 => return self.strings(out).map(|()| true),
            19 => &[String],
            22 => {
                out.extend_from_slice(b"0x");
                &[Hex]
            }
            // SIG, RRSIG
            24 | 46 => &[Type, Byte, Byte, Long, Date, Date, Short, Name, Base64],
            // KEY, DNSKEY, RKEY, CDNSKEY
            25 | 48 | 57 | 60 => &[Short, Byte, Byte, Base64],
            26 => &[Short, Name, Name],
            27 => &[String, String, String],
            29 => return self.location(out).map(|()| true),
            30 => &[Name],
            33 => &[Short, Short, Short, Name],
            35 => &[Short, Short, String, String, String, Name],
            37 => &[Short, Short, Byte, Base64],
            42 => return self.address_prefixes(out).map(|()| true),
            // DS, CDS, TA, DLV
            43 | 59 | 32768 | 32769 => &[Short, Byte, Byte, Hex],
            44 => &[Byte, Byte, Hex],
            45 => return self.ipsec_key(out).map(|()| true),
            47 => {
                self.name(out)?;
                return self.types(out).map(|()| true);
            }
            // DHCID, OPENPGPKEY
            49 | 61 => &[Base64],
            50 => return self.nsec3(out).map(|()| true),
            51 => return self.nsec3_parameters(out).map(|()| true),
            // TLSA, SMIMEA
            52 | 53 => &[Byte, Byte, Byte, Hex],
            55 => return self.host_identity(out).map(|()| true),
            62 => {
                self.put(&[Long, Short], out)?;
                return self.types(out).map(|()| true);
            }
            63 => &[Long, Byte, Byte, Hex],
            // SVCB, HTTPS
            64 | 65 => {
                self.put(&[Short, Name], out)?;
                return svcb::parameters(self, out).map(|()| true);
            }
            66 => &[Type, Byte, Short, Name],
            // NID, L64
            104 | 106 => {
                self.put_short(out)?;
                out.push(b' ');
                hex_groups(&self.array::<8>()?, 2, b':', out);
                return Ok(true);
            }
            105 => {
                self.put_short(out)?;
                out.push(b' ');
                write_ipv4(self.array()?, out);
                return Ok(true);
            }
            108 => {
                hex_groups(&self.array::<6>()?, 1, b'-', out);
                return Ok(true);
            }
            109 => {
                hex_groups(&self.array::<8>()?, 1, b'-', out);
                return Ok(true);
            }
            249 => return self.transaction_key(out).map(|()| true),
            250 => return self.transaction_signature(out).map(|()| true),
            256 => {
                self.put(&[Short, Short], out)?;
                out.push(b' ');
                quoted(self.rest()?, out);
                return Ok(true);
            }
            257 => {
                self.put_byte(out)?;
                out.push(b' ');
                unquoted(self.string()?, out);
                out.push(b' ');
                quoted(self.rest()?, out);
                return Ok(true);
            }
            259 => &[Long, Long, Byte, String, Base64],
            260 => return self.relay(out).map(|()| true),
            _ => return Ok(false),
        };
        self.put(layout, out)?;
        if record_type == 30 {
            self.next_types(out)?;
        }
        Ok(true)
    }

    /// WKS: address, protocol, and a bit for each port (RFC 1035, 3.4.2).
    fn well_known_services(&mut self, out: &mut Vec<u8>) -> Read<()> {
        write_ipv4(self.array()?, out);
        out.push(b' ');
        self.put_byte(out)?;
        for port in set_bits(self.rest()?) {
            out.push(b' ');
            number(port, out);
        }
        Ok(())
    }

    /// The bit map of NXT (RFC 2535, 5.2).
    fn next_types(&mut self, out: &mut Vec<u8>) -> Read<()> {
        for bit in set_bits(self.rest()?) {
            out.push(b' ');
            record_type(bit as u16, out);
        }
        Ok(())
    }

    /// The windows of types of NSEC and its like (RFC 4034, 4.1.2).
    fn types(&mut self, out: &mut Vec<u8>) -> Read<()> {
        while !self.is_empty() {
            let [window, length] = self.array()?;
            if !(1..=32).contains(&length) {
                return Err(RdataProblem::Field);
            }
            for bit in set_bits(self.take(usize::from(length))?) {
                out.push(b' ');
                record_type(u16::from(window) << 8 | bit as u16, out);
            }
        }
        Ok(())
    }

    fn nsec3_parameters(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.put(&[Field::Byte, Field::Byte, Field::Short], out)?;
        out.push(b' ');
        match self.string()? {
            [] => out.push(b'-'),
            salt => hex(salt, out),
        }
        Ok(())
    }

    fn nsec3(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.nsec3_parameters(out)?;
        out.push(b' ');
        base32hex(self.string()?, out);
        self.types(out)
    }

    /// LOC (RFC 1876), with the decimals that dig gives.
    fn location(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let [version, sizes @ ..] = self.array::<4>()?;
        let [latitude, longitude, altitude] = [self.long()?, self.long()?, self.long()?];
        let is_size = |size: u8| size >> 4 < 10 && size & 15 < 10;
        if version != 0 || !sizes.into_iter().all(is_size) {
            return Err(RdataProblem::Field);
        }
        angle(latitude, 90, [b'N', b'S'], out)?;
        angle(longitude, 180, [b'E', b'W'], out)?;
        let centimetres = i64::from(altitude) - 10_000_000;
        if centimetres < 0 {
            out.push(b'-');
        }
        number(centimetres.unsigned_abs() / 100, out);
        out.push(b'.');
        padded((centimetres.unsigned_abs() % 100) as u32, 2, out);
        out.push(b'm');
        for size in sizes {
            let centimetres = u64::from(size >> 4) * 10u64.pow(u32::from(size & 15));
            out.push(b' ');
            number(centimetres / 100, out);
            if centimetres % 100 != 0 {
                out.push(b'.');
                padded((centimetres % 100) as u32, 2, out);
            }
            out.push(b'm');
        }
        Ok(())
    }

    /// APL (RFC 3123).
    fn address_prefixes(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let mut first = true;
        while !self.is_empty() {
            let family = self.short()?;
            let [prefix, length] = self.array()?;
            let address = self.take(usize::from(length & 0x7f))?;
            if !std::mem::take(&mut first) {
                out.push(b' ');
            }
            if length & 0x80 != 0 {
                out.push(b'!');
            }
            number(family, out);
            out.push(b':');
            prefix_of(family, address, out)?;
            out.push(b'/');
            number(prefix, out);
        }
        Ok(())
    }

    /// A gateway or relay of kind 0 none, 1 IPv4, 2 IPv6, 3 name.
    fn gateway(&mut self, kind: u8, out: &mut Vec<u8>) -> Read<()> {
        match kind {
            0 => out.push(b'.'),
            1 => write_ipv4(self.array()?, out),
            2 => write_ipv6(&self.array()?, out),
            3 => self.name(out)?,
            _ => return Err(RdataProblem::Field),
        }
        Ok(())
    }

    /// IPSECKEY (RFC 4025).
    fn ipsec_key(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let [precedence, kind, algorithm] = self.array()?;
        for field in [precedence, kind, algorithm] {
            number(field, out);
            out.push(b' ');
        }
        self.gateway(kind, out)?;
        if !self.is_empty() {
            out.push(b' ');
            self.put_base64(out)?;
        }
        Ok(())
    }

    /// AMTRELAY (RFC 8777).
    fn relay(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let [precedence, kind] = self.array()?;
        for field in [precedence, kind >> 7, kind & 0x7f] {
            number(field, out);
            out.push(b' ');
        }
        self.gateway(kind & 0x7f, out)
    }

    /// HIP (RFC 8005).
    fn host_identity(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let [tag, algorithm] = self.array()?;
        let key = self.short()?;
        number(algorithm, out);
        out.push(b' ');
        hex(self.take(usize::from(tag))?, out);
        out.push(b' ');
        base64(self.take(usize::from(key))?, out);
        while !self.is_empty() {
            out.push(b' ');
            self.name(out)?;
        }
        Ok(())
    }

    /// Bytes behind their length, as `length base64`, the length alone where there are none.
    fn counted(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let length = self.short()?;
        number(length, out);
        if length > 0 {
            out.push(b' ');
            base64(self.take(usize::from(length))?, out);
        }
        Ok(())
    }

    /// TKEY (RFC 2930).
    fn transaction_key(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.put(&[Field::Name, Field::Date, Field::Date, Field::Short, Field::Short], out)?;
        out.push(b' ');
        self.counted(out)?;
        out.push(b' ');
        self.counted(out)
    }

    /// TSIG (RFC 8945).
    fn transaction_signature(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.name(out)?;
        out.push(b' ');
        let [a, b, c, d, e, f] = self.array()?;
        number(u64::from_be_bytes([0, 0, a, b, c, d, e, f]), out);
        out.push(b' ');
        self.put_short(out)?;
        out.push(b' ');
        self.counted(out)?;
        out.push(b' ');
        self.put(&[Field::Short, Field::Short], out)?;
        out.push(b' ');
        self.counted(out)
    }
}

/// The kinds of fields that simple types are made of.
#[derive(Clone, Copy)]
enum Field {
    Byte,
    Short,
    Long,
    Name,
    String,
    Type,
    Date,
    Hex,
    Base64,
}

/// Positions of the bits that are set, the highest bit of the first byte being 0.
fn set_bits(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.iter().enumerate().flat_map(|(at, &byte)| {
        (0..8).filter(move |bit| byte & 0x80 >> bit != 0).map(move |bit| at * 8 + bit)
    })
}

/// An angle of LOC in thousandths of a second of arc, 2^31 being the equator or the prime meridian.
fn angle(value: u32, most: u32, hemispheres: [u8; 2], out: &mut Vec<u8>) -> Read<()> {
    let [positive, negative] = hemispheres;
    let magnitude = value.abs_diff(1 << 31);
    if magnitude > most * 3_600_000 {
        return Err(RdataProblem::Field);
    }
    number(magnitude / 3_600_000, out);
    out.push(b' ');
    number(magnitude / 60_000 % 60, out);
    out.push(b' ');
    number(magnitude / 1000 % 60, out);
    out.push(b'.');
    padded(magnitude % 1000, 3, out);
    out.extend_from_slice(&[b' ', if value >= 1 << 31 { positive } else { negative }, b' ']);
    Ok(())
}

/// An address whose last bytes may have been left off, of family 1 (IPv4) or 2 (IPv6).
pub(super) fn prefix_of(family: u16, address: &[u8], out: &mut Vec<u8>) -> Read<()> {
    fn filled<const N: usize>(address: &[u8]) -> Read<[u8; N]> {
        let mut full = [0; N];
        full.get_mut(..address.len()).ok_or(RdataProblem::Field)?.copy_from_slice(address);
        Ok(full)
    }
    match family {
        1 => write_ipv4(filled(address)?, out),
        2 => write_ipv6(&filled(address)?, out),
        _ => return Err(RdataProblem::Field),
    }
    Ok(())
}
