//! The cells that a leaf becomes: every combination of a matrix, or every item of a list, and their names.

use super::spread::MOST_CELLS;
use super::task::Params;
use crate::base::TaskName;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Why a leaf cannot become its cells; fits after "the cells cannot be made: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellsError {
    /// There are more than anybody can want.
    #[error("there are {0} of them, and at most {MOST_CELLS} are possible")]
    TooMany(usize),
    /// Something else stands where a list is needed.
    #[error("`{0}` must give a list")]
    NotAList(String),
}

/// Every combination of the axes, as on GitHub: without those that `exclude` describes, and with what `include` adds to
/// the combinations it fits, or as combinations of its own.
///
/// # Errors
/// [`CellsError`].
pub fn matrix_cells(
    axes: &[(String, Value)],
    include: &[Map<String, Value>],
    exclude: &[Map<String, Value>],
) -> Result<Vec<Map<String, Value>>, CellsError> {
    let mut cells = vec![Map::new()];
    for (name, values) in axes {
        let values = values.as_array().ok_or_else(|| CellsError::NotAList(name.clone()))?;
        let count = cells.len().saturating_mul(values.len());
        if count > MOST_CELLS {
            return Err(CellsError::TooMany(count));
        }
        let with = |cell: &Map<String, Value>, value: &Value| {
            let mut cell = cell.clone();
            cell.insert(name.clone(), value.clone());
            cell
        };
        cells = cells.iter().flat_map(|cell| values.iter().map(move |value| with(cell, value))).collect();
    }
    if axes.is_empty() {
        cells.clear();
    }
    cells.retain(|cell| !exclude.iter().any(|pattern| fits(cell, pattern)));
    let axes: HashSet<&str> = axes.iter().map(|(name, _)| name.as_str()).collect();
    let mut own = Vec::new();
    for extra in include {
        let mut has_found = false;
        for cell in &mut cells {
            let is_at_home = extra
                .iter()
                .all(|(name, value)| !axes.contains(name.as_str()) || cell.get(name) == Some(value));
            if is_at_home {
                has_found = true;
                cell.extend(extra.clone());
            }
        }
        if !has_found {
            own.push(extra.clone());
        }
    }
    cells.extend(own);
    if cells.len() > MOST_CELLS { Err(CellsError::TooMany(cells.len())) } else { Ok(cells) }
}

/// Whether a combination has every value that the pattern names.
fn fits(cell: &Map<String, Value>, pattern: &Map<String, Value>) -> bool {
    !pattern.is_empty() && pattern.iter().all(|(name, value)| cell.get(name) == Some(value))
}

/// What expressions see of each cell of a matrix.
pub fn seen_as_matrix(cells: Vec<Map<String, Value>>) -> Vec<Params> {
    cells.into_iter().map(|cell| Params::from([("matrix".to_owned(), Value::Object(cell))])).collect()
}

/// What expressions see of each item.
///
/// # Errors
/// [`CellsError`].
pub fn seen_as_items(items: Value, name: &str) -> Result<Vec<Params>, CellsError> {
    let items = match items {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        // Lua cannot tell an empty list from an empty table.
        Value::Object(map) if map.is_empty() => Vec::new(),
        _ => return Err(CellsError::NotAList("items".to_owned())),
    };
    if items.len() > MOST_CELLS {
        return Err(CellsError::TooMany(items.len()));
    }
    Ok(items.into_iter().map(|item| Params::from([(name.to_owned(), item)])).collect())
}

/// A full name for each cell: the name of the leaf, and after a dot what the cell stands for, `test.linux-1.90`. Where
/// that says nothing, or the same twice, it is its number.
///
/// ```
/// use neap::{base::TaskName, definition::{cell_names, Params}};
/// let cells = ["a.png", "b/c.png"].map(|item| Params::from([("item".to_owned(), item.into())]));
/// let leaf = TaskName::new("p/resize").unwrap();
/// let names = cell_names(&leaf, &cells);
/// assert_eq!(names.map(|name| name.to_string()).collect::<Vec<_>>(), ["p/resize.a.png", "p/resize.b-c.png"]);
/// ```
pub fn cell_names<'c>(leaf: &'c TaskName, cells: &'c [Params]) -> impl Iterator<Item = TaskName> + 'c {
    let mut taken = HashSet::new();
    (1..).zip(cells).map(move |(number, cell): (usize, &Params)| {
        let about = cell.values().map(words).filter(|words| !words.is_empty()).collect::<Vec<_>>().join("-");
        let named =
            |about: &str| TaskName::new(&format!("{leaf}.{about}")).ok().filter(|_| !about.is_empty());
        let name = named(&about).filter(|name| taken.insert(name.clone()));
        name.unwrap_or_else(|| {
            let name = named(&number.to_string()).expect("a number can stand in a name");
            taken.insert(name.clone());
            name
        })
    })
}

/// A value in letters that a name can have; empty when it says too much.
fn words(value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) => return String::new(),
        Value::Object(map) => {
            let parts: Vec<String> = map.values().map(words).collect();
            if parts.iter().any(String::is_empty) {
                return String::new();
            }
            parts.join("-")
        }
    };
    if text.len() > LONGEST {
        return String::new();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    text.chars().map(plain).collect::<String>().trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn maps(value: Value) -> Vec<Map<String, Value>> {
        value.as_array().unwrap().iter().map(|item| item.as_object().unwrap().clone()).collect()
    }

    #[track_caller]
    fn check(axes: &[(&str, Value)], include: Value, exclude: Value, expected: Value) {
        let axes: Vec<(String, Value)> =
            axes.iter().map(|(name, values)| ((*name).to_owned(), values.clone())).collect();
        let cells = matrix_cells(&axes, &maps(include), &maps(exclude)).unwrap();
        assert_eq!(json!(cells), expected);
    }

    #[test]
    fn a_matrix_is_every_combination() {
        let axes = [("os", json!(["linux", "mac"])), ("v", json!([1, 2]))];
        check(
            &axes,
            json!([]),
            json!([{"os": "mac", "v": 1}]),
            json!([{"os": "linux", "v": 1}, {"os": "linux", "v": 2}, {"os": "mac", "v": 2}]),
        );
        check(
            &axes[..1],
            json!([{"os": "linux", "fast": true}]),
            json!([]),
            json!([{"os": "linux", "fast": true}, {"os": "mac"}]),
        );
        check(
            &axes[..1],
            json!([{"os": "bsd"}]),
            json!([]),
            json!([{"os": "linux"}, {"os": "mac"}, {"os": "bsd"}]),
        );
        check(&[], json!([{"a": 1}]), json!([]), json!([{"a": 1}]));
        let wrong = [("os".to_owned(), json!("linux"))];
        assert_eq!(matrix_cells(&wrong, &[], &[]), Err(CellsError::NotAList("os".to_owned())));
        let large = ["a", "b"].map(|name| (name.to_owned(), json!((0..200).collect::<Vec<_>>())));
        assert_eq!(matrix_cells(&large, &[], &[]), Err(CellsError::TooMany(40_000)));
    }

    #[test]
    fn every_cell_has_a_name_of_its_own() {
        let leaf = TaskName::new("p/t").unwrap();
        let items = json!(["a b", "a-b", "", "../x", ["list"], {"os": "linux", "v": 1.5}, "x".repeat(50)]);
        let cells = seen_as_items(items, "item").unwrap();
        let names: Vec<String> = cell_names(&leaf, &cells).map(|name| name.to_string()).collect();
        assert_eq!(names, ["p/t.a-b", "p/t.2", "p/t.3", "p/t.x", "p/t.5", "p/t.linux-1.5", "p/t.7"]);
    }
}
