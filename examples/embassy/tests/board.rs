//! Tests that run on the board: does it compute what the desktop computed?

#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_rp as _;

#[embedded_test::tests]
mod tests {
    use pico_embassy::table::{COLUMNS, TABLE};
    use surprisal::Reading;

    #[test]
    fn golden_rows_have_their_scores() {
        assert_eq!(TABLE.self_test::<{ COLUMNS.len() }>(), Ok(()));
    }

    #[test]
    fn a_pump_that_draws_current_at_rest_alarms() {
        let verdict = TABLE.judge(&[865, 1900, 0].map(Reading::Integer)).expect("three integers");
        assert!(verdict.is_anomalous());
    }
}
