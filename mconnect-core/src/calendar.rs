//! Days and times as people write them, in UTC. No time zone is asked for, and no crate: the tables of either would be
//! a hundred times this.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes a day as `2026-11-23`, in UTC; one before 1970 as `1970-01-01`.
///
/// ```
/// # #[cfg(feature = "tls")] {
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use mconnect_core::tls::date;
///
/// assert_eq!(date(UNIX_EPOCH + Duration::from_secs(951_782_400)), "2000-02-29");
/// # }
/// ```
pub fn date(time: SystemTime) -> String {
    let (year, month, day) = civil(time);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Writes a time as the header `Date` of a message has it, in UTC: `Mon, 23 Nov 2026 03:05:13 +0000`
/// ([RFC 5322, section 3.3](https://www.rfc-editor.org/rfc/rfc5322#section-3.3)).
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let date = mconnect_core::message_date(UNIX_EPOCH + Duration::from_secs(1_795_403_113));
/// assert_eq!(date, "Mon, 23 Nov 2026 03:05:13 +0000");
/// ```
pub fn message_date(time: SystemTime) -> String {
    let seconds = since_epoch(time).as_secs();
    let (year, month, day) = civil(time);
    // The first of January 1970 was a Thursday.
    let weekday = WEEKDAYS[(seconds / DAY % 7) as usize];
    let month = MONTHS[month as usize - 1];
    let (hours, minutes, seconds) = (seconds % DAY / 3600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hours:02}:{minutes:02}:{seconds:02} +0000")
}

/// Returns the year, the month and the day, counted from 1.
fn civil(time: SystemTime) -> (u64, u64, u64) {
    let days = since_epoch(time).as_secs() / DAY;
    // The days of the Gregorian calendar, from the first of March on, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Writes a time as `2026-11-23T03:05:13.000042Z` ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)).
#[cfg_attr(not(feature = "json"), allow(dead_code, reason = "without JSON, nobody writes times"))]
pub(crate) fn timestamp(time: SystemTime) -> String {
    let since = since_epoch(time);
    let (seconds, micros) = (since.as_secs() % DAY, since.subsec_micros());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z", date(time))
}

/// A time before 1970 is taken for its beginning.
fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_795_392_000, "2026-11-23"),
            (1_704_067_199, "2023-12-31"),
        ] {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_first_and_the_last_time_of_the_system_have_a_day() {
        let ends = [UNIX_EPOCH.checked_sub(Duration::MAX), UNIX_EPOCH.checked_sub(Duration::from_secs(1 << 62))];
        assert!(ends.into_iter().flatten().all(|time| date(time) == "1970-01-01"));
        let last = UNIX_EPOCH.checked_add(Duration::from_secs(i64::MAX.unsigned_abs())).unwrap();
        assert!(timestamp(last).ends_with("-12-04T15:30:07.000000Z"), "{}", timestamp(last));
    }

    #[test]
    fn times_are_written_as_date_writes_them() {
        // date -u -d @N +%Y-%m-%dT%H:%M:%S
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (1_795_402_823, "2026-11-23T03:00:23"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            let time = UNIX_EPOCH + Duration::new(seconds, 42_999);
            assert_eq!(timestamp(time), format!("{text}.000042Z"));
        }
    }

    #[test]
    fn the_date_of_a_message_is_written_as_date_writes_it() {
        // date -u -R -d @N
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 +0000"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(message_date(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
