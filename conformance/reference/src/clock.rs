//! The logical clock of the model: it advances only when the model changes.

/// 2024-01-01T00:00:00.000Z, the start of every clock, in milliseconds since the epoch.
const START: u64 = 1_704_067_200_000;

const MS_PER_DAY: u64 = 86_400_000;

/// The instant `ticks` milliseconds after the start in Webflow's format: ISO 8601 with milliseconds and `Z`.
pub(super) fn timestamp(ticks: u64) -> String {
    let ms = START.saturating_add(ticks);
    let (year, month, day) = civil_from_days(ms / MS_PER_DAY);
    let rest = ms % MS_PER_DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1000 % 60,
        rest % 1000
    )
}

/// The date `days` days after 1970-01-01 (Hinnant's algorithm for days that are not negative).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn time_starts_with_2024_and_crosses_leap_days_and_years() {
        assert_eq!(timestamp(0), "2024-01-01T00:00:00.000Z");
        assert_eq!(timestamp(86_400_000 - 1), "2024-01-01T23:59:59.999Z");
        assert_eq!(timestamp(59 * 86_400_000), "2024-02-29T00:00:00.000Z");
        assert_eq!(timestamp(60 * 86_400_000), "2024-03-01T00:00:00.000Z");
        assert_eq!(timestamp(366 * 86_400_000), "2025-01-01T00:00:00.000Z");
    }
}
