//! Counts in messages for people.

/// Returns a count with its noun in the singular or the plural.
///
/// ```
/// use surprisal_trainer::counted::counted;
/// assert_eq!([0, 1, 2].map(|count| counted(count, "row")), ["0 rows", "1 row", "2 rows"]);
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
