//! Names of columns: made distinct, and by position where a file has none.

use std::collections::{HashMap, HashSet};

use super::default_name;

/// Returns the names of the columns, and those that had to be made distinct by a suffix. A column without a name is
/// called x0, x1, … by its position.
pub(super) fn column_names(names: Option<&[String]>, width: usize) -> (Vec<String>, Vec<String>) {
    let given = |at: usize| names.and_then(|names| names.get(at)).filter(|name| !name.is_empty());
    let mut taken: HashSet<String> = (0..width).filter_map(|at| given(at).cloned()).collect();
    let (mut used, mut next) = (HashSet::new(), HashMap::<String, usize>::new());
    let mut renamed = Vec::new();
    let mut distinct = |at: usize| {
        let name = given(at).cloned().unwrap_or_else(|| default_name(at));
        let is_own = given(at).is_some() || !taken.contains(&name);
        if is_own && used.insert(name.clone()) {
            return name;
        }
        let count = next.entry(name.clone()).or_insert(1);
        let suffixed = loop {
            *count += 1;
            let suffixed = format!("{name}_{count}");
            if taken.insert(suffixed.clone()) {
                break suffixed;
            }
        };
        used.insert(suffixed.clone());
        renamed.push(suffixed.clone());
        suffixed
    };
    ((0..width).map(&mut distinct).collect(), renamed)
}
