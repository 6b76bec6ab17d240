//! What came as it was expected, octet by octet.
//!
//! Exact bytes may be a file of gigabytes. All of them are counted, and the first 4 KiB are kept, so that a difference
//! near the beginning can be shown with what was before it, and one far behind is told by where it is.

/// How many octets were as expected, and the first of them.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    count: u64,
    first: Vec<u8>,
}

impl Matched {
    /// Adds the octets with which both begin, and returns how many they are.
    pub fn add(&mut self, wanted: &[u8], came: &[u8]) -> usize {
        let most = wanted.len().min(came.len());
        let size = match wanted[..most] == came[..most] {
            true => most,
            false => wanted.iter().zip(came).take_while(|(wanted, came)| wanted == came).count(),
        };
        self.count += size as u64;
        let room = FEW - self.first.len();
        self.first.extend_from_slice(&came[..room.min(size)]);
        size
    }

    /// Returns all of them; none if they were more than are kept.
    pub fn all(&self) -> Option<&[u8]> {
        (self.count == self.first.len() as u64).then_some(&self.first)
    }

    /// Returns the lines at the beginning that are kept whole.
    #[cfg(feature = "server")]
    pub fn lines(&self) -> &[u8] {
        let end = self.first.iter().rposition(|byte| *byte == b'\n').map_or(0, |lf| lf + 1);
        self.all().unwrap_or(&self.first[..end])
    }

    /// Tells what came after them, where they were too many to be shown.
    pub fn followed_by(&self, what: &str) -> String {
        format!("{} octets as expected, then {what}", self.count)
    }
}

/// So many octets are kept.
const FEW: usize = 4096;
