//! ZIP archives (APPNOTE 4.3.7) that are something else in truth: documents, packages, applications.

use memchr::memmem;

/// Local headers looked at.
const MEMBERS: usize = 32;

/// The kind of an archive that begins with `PK`.
pub(super) fn kind(head: &[u8]) -> Option<&'static str> {
    let head = match head {
        // Marker of an archive in several volumes.
        [b'P', b'K', 7, 8, rest @ ..] if rest.starts_with(LOCAL) => rest,
        [b'P', b'K', 5, 6, ..] => return Some("application/zip"),
        _ => head,
    };
    if !head.starts_with(LOCAL) {
        return None;
    }
    let mut office = false;
    let mut java = false;
    let mut rest = head;
    for number in 0..MEMBERS {
        let Some(member) = Member::parse(rest) else { break };
        if number == 0 && member.name == b"mimetype" {
            return Some(declared(member.data));
        }
        match member.name {
            [b'w', b'o', b'r', b'd', b'/', ..] => {
                return Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document");
            }
            [b'x', b'l', b'/', ..] => {
                return Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
            }
            [b'p', b'p', b't', b'/', ..] => {
                return Some("application/vnd.openxmlformats-officedocument.presentationml.presentation");
            }
            [b'v', b'i', b's', b'i', b'o', b'/', ..] => return Some("application/vnd.ms-visio.drawing"),
            b"AndroidManifest.xml" | b"classes.dex" => {
                return Some("application/vnd.android.package-archive");
            }
            [b'P', b'a', b'y', b'l', b'o', b'a', b'd', b'/', rest @ ..]
                if memmem::find(rest, b".app/").is_some() =>
            {
                return Some("application/x-ios-app");
            }
            b"AppxManifest.xml" => return Some("application/vnd.ms-appx"),
            b"META-INF/MANIFEST.MF" => java = true,
            [b'M', b'E', b'T', b'A', b'-', b'I', b'N', b'F', b'/', ..] if number == 0 => java = true,
            b"[Content_Types].xml" | b"_rels/.rels" => office = true,
            _ => {}
        }
        let Some(next) = member.next else { break };
        rest = next;
    }
    Some(if office {
        "application/vnd.openxmlformats-officedocument"
    } else if java {
        "application/java-archive"
    } else {
        "application/zip"
    })
}

const LOCAL: &[u8] = b"PK\x03\x04";

/// One local header.
struct Member<'a> {
    name: &'a [u8],
    data: &'a [u8],
    /// Where the next local header begins, if that can be known.
    next: Option<&'a [u8]>,
}

impl<'a> Member<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<30>()?;
        let &[
            b'P',
            b'K',
            3,
            4,
            _,
            _,
            flags,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            a,
            b,
            c,
            d,
            _,
            _,
            _,
            _,
            n,
            o,
            x,
            y,
        ] = header
        else {
            return None;
        };
        let size = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([n, o])))?;
        let data = rest.get(usize::from(u16::from_le_bytes([x, y]))..).unwrap_or_default();
        // Bit 3: the size stands behind the data, so that the next header can only be searched for.
        let (data, next) = if flags & 8 != 0 && size == 0 {
            (data, memmem::find(data, LOCAL).and_then(|place| data.get(place..)))
        } else {
            (data.get(..size).unwrap_or(data), data.get(size..))
        };
        Some(Self { name, data, next })
    }
}

/// By the text of a first member called `mimetype` (OpenDocument 1.2 part 3, 3.3; EPUB OCF 3.3).
fn declared(data: &[u8]) -> &'static str {
    static KINDS: &[&str] = &[
        "application/epub+zip",
        "application/vnd.oasis.opendocument.chart",
        "application/vnd.oasis.opendocument.chart-template",
        "application/vnd.oasis.opendocument.database",
        "application/vnd.oasis.opendocument.formula",
        "application/vnd.oasis.opendocument.formula-template",
        "application/vnd.oasis.opendocument.graphics",
        "application/vnd.oasis.opendocument.graphics-template",
        "application/vnd.oasis.opendocument.image",
        "application/vnd.oasis.opendocument.image-template",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.presentation-template",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.spreadsheet-template",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.text-master",
        "application/vnd.oasis.opendocument.text-template",
        "application/vnd.oasis.opendocument.text-web",
    ];
    // The longest that fits: where the size is not known, what follows is not cut off.
    KINDS
        .iter()
        .filter(|kind| data.starts_with(kind.as_bytes()))
        .max_by_key(|kind| kind.len())
        .copied()
        .unwrap_or("application/zip")
}
