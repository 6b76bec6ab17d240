//! A file of reports that is gone on with: wherever it was torn, what is whole is counted, and no more.

use std::io;

use mconnect_core::probe::Finished;
use serde_json::Value;

use crate::is_fit_to_show;

fn read(file: &[u8]) -> io::Result<Finished> {
    Finished::read(file, |line| Some(serde_json::from_slice::<Value>(line).ok()?["input"].as_str()?.to_owned()))
}

/// `data` is such a file.
pub fn holds(data: &[u8]) {
    match read(data) {
        Ok(mut kept) => {
            let whole = &data[..kept.whole as usize];
            assert!(whole.is_empty() || whole.ends_with(b"\n") || kept.lacks_end);
            // What is cut off changes nothing of the rest, and a second reading nothing at all.
            let mut mended = whole.to_vec();
            if kept.lacks_end {
                mended.push(b'\n');
            }
            let again = read(&mended).expect("it could be read before");
            assert_eq!((again.count, again.whole, again.lacks_end), (kept.count, mended.len() as u64, false));
            let more = b"{\"input\":\"x.example\",\"status\":\"fine\"}\n";
            mended.extend(more);
            let mut longer = read(&mended).expect("it has a report more");
            assert_eq!(longer.count, kept.count + 1);
            let mut taken = 0;
            while kept.take("x.example") {
                taken += 1;
                assert!(longer.take("x.example"));
            }
            assert!(longer.take("x.example") && !longer.take("x.example"));
            assert!(taken <= kept.count);
        }
        Err(error) => assert!(is_fit_to_show(&error.to_string()), "{error:?}"),
    }
}
