//! Values between JSON and the VM. `null` and an absent value are both `nil`; what goes in as `ctx` or `ev` is frozen.
//!
//! Only raw accesses: no metamethod of a script runs during a conversion.

use mlua::{Lua, LuaSerdeExt, Table, Value};
use serde_json::{Map, Number, Value as Json};

/// How deep a table may be. Deeper ones are nearly always cycles.
const DEPTH: usize = 64;
/// How many values may be converted at once: a few references to one table can stand for billions of values.
const VALUES: usize = 100_000;
/// How many bytes of text may be converted at once; they are outside the memory bound of the VM.
const BYTES: usize = 4 << 20;

/// Whether a script may change a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Frozen,
    Open,
}

/// A JSON value as a script sees it.
pub(super) fn to_lua(lua: &Lua, json: &Json, access: Access) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(is) => Value::Boolean(*is),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item, access)?)?;
            }
            if access == Access::Open {
                table.set_metatable(Some(lua.array_metatable()))?;
            }
            settled(table, access)
        }
        Json::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (key, field) in fields {
                table.raw_set(key.as_str(), to_lua(lua, field, access)?)?;
            }
            settled(table, access)
        }
    })
}

fn settled(table: Table, access: Access) -> Value {
    table.set_readonly(access == Access::Frozen);
    Value::Table(table)
}

/// Why a value of a script has no JSON form; fits after "the value ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("holds a {0}")]
    Type(&'static str),
    #[error("holds a number that is not finite")]
    Number,
    #[error("holds a table with a {0} as a key")]
    Key(&'static str),
    #[error("is a table of more than {DEPTH} levels; does it hold itself?")]
    Deep,
    #[error("is too large")]
    Large,
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// The JSON form of a script's value. A table with the keys 1 to n is a list; an empty one is an object.
pub(super) fn from_lua(lua: &Lua, value: &Value) -> Result<Json, Unfit> {
    from_lua_within(lua, value, BYTES)
}

/// The same, with at most so many bytes of text in it.
pub(super) fn from_lua_within(lua: &Lua, value: &Value, bytes: usize) -> Result<Json, Unfit> {
    Reader { lua, values: VALUES, bytes }.value(value, 0)
}

struct Reader<'a> {
    lua: &'a Lua,
    values: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<Json, Unfit> {
        self.values = self.values.checked_sub(1).ok_or(Unfit::Large)?;
        match value {
            Value::Nil => Ok(Json::Null),
            Value::Boolean(is) => Ok(Json::Bool(*is)),
            Value::Integer(number) => Ok(Json::Number((*number).into())),
            Value::Number(number) => number_of(*number),
            Value::String(text) => self.text(text).map(Json::String),
            Value::Table(table) => self.table(table, depth),
            other => Err(Unfit::Type(other.type_name())),
        }
    }

    fn text(&mut self, text: &mlua::LuaString) -> Result<String, Unfit> {
        self.bytes = self.bytes.checked_sub(text.as_bytes().len()).ok_or(Unfit::Large)?;
        Ok(text.to_string_lossy())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<Json, Unfit> {
        if depth == DEPTH {
            return Err(Unfit::Deep);
        }
        if let Some(length) = given_length(table) {
            return self.items(table, length, depth);
        }
        let length = table.raw_len();
        if length > self.values {
            return Err(Unfit::Large);
        }
        if length > 0 && self.is_list(table, length)? {
            return self.items(table, length, depth);
        }
        if length == 0 && table.metatable() == Some(self.lua.array_metatable()) {
            return Ok(Json::Array(Vec::new()));
        }
        let mut fields = Map::new();
        for pair in table.pairs::<Value, Value>() {
            let (key, field) = pair.map_err(unreadable)?;
            fields.insert(self.key(&key)?, self.value(&field, depth + 1)?);
        }
        Ok(Json::Object(fields))
    }

    fn items(&mut self, table: &Table, length: usize, depth: usize) -> Result<Json, Unfit> {
        let item = |index| {
            let item: Value = table.raw_get(index).map_err(unreadable)?;
            self.value(&item, depth + 1)
        };
        (1..=length).map(item).collect::<Result<_, _>>().map(Json::Array)
    }

    fn is_list(&mut self, table: &Table, length: usize) -> Result<bool, Unfit> {
        let mut seen = 0;
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(unreadable)?;
            seen += 1;
            let place = match key {
                Value::Integer(place) => place as f64,
                Value::Number(place) => place,
                _ => return Ok(false),
            };
            if seen > length || place.fract() != 0.0 || place < 1.0 || place > length as f64 {
                return Ok(false);
            }
        }
        Ok(seen == length)
    }

    fn key(&mut self, key: &Value) -> Result<String, Unfit> {
        match key {
            Value::String(text) => self.text(text),
            Value::Integer(number) => Ok(number.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(Unfit::Key(other.type_name())),
        }
    }
}

/// The length of a list that was given to an expression, which may be empty or have nulls in it.
fn given_length(table: &Table) -> Option<usize> {
    let length: usize = table.metatable().filter(|_| table.is_readonly())?.raw_get("length").ok()?;
    (length <= VALUES).then_some(length)
}

/// A number, of whichever sort the VM made it.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn unreadable(error: mlua::Error) -> Unfit {
    Unfit::Unreadable(error.to_string())
}

/// Luau has only doubles; a whole one within 53 bits is an integer to everybody else.
fn number_of(number: f64) -> Result<Json, Unfit> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Ok(Json::Number((number as i64).into()));
    }
    Number::from_f64(number).map(Json::Number).ok_or(Unfit::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(lua: &str, expected: Result<Json, Unfit>) {
        let vm = Lua::new();
        let value = vm.load(lua).eval::<Value>().unwrap();
        assert_eq!(from_lua(&vm, &value), expected, "{lua}");
    }

    #[test]
    fn values_leave_the_vm() {
        check("nil", Ok(Json::Null));
        check("2^53 - 1", Ok(json!(9_007_199_254_740_991i64)));
        check("0.5", Ok(json!(0.5)));
        check("{1, 'a', {x = true}}", Ok(json!([1, "a", {"x": true}])));
        check("{}", Ok(json!({})));
        check("{1, 2, n = 2}", Ok(json!({"1": 1, "2": 2, "n": 2})));
        check("{[1.5] = 1}", Ok(json!({"1.5": 1})));
        check("'\\255'", Ok(json!("\u{fffd}")));
        check("0/0", Err(Unfit::Number));
        check("print", Err(Unfit::Type("function")));
        check("{[print] = 1}", Err(Unfit::Key("function")));
        check("(function() local t = {} t.t = t return t end)()", Err(Unfit::Deep));
        check("(function() local t = {1} for _ = 1, 40 do t = {t, t} end return t end)()", Err(Unfit::Large));
        check("('x'):rep(5 * 1024 * 1024)", Err(Unfit::Large));
    }

    #[test]
    fn null_is_nil_and_lists_survive() {
        let vm = Lua::new();
        let json = json!({"a": null, "list": [], "n": 7});
        let value = to_lua(&vm, &json, Access::Open).unwrap();
        vm.globals().set("v", &value).unwrap();
        assert!(vm.load("return v.a == nil and v.n == 7").eval::<bool>().unwrap());
        assert_eq!(from_lua(&vm, &value), Ok(json!({"list": [], "n": 7})));
        let frozen = to_lua(&vm, &json, Access::Frozen).unwrap();
        vm.globals().set("f", frozen).unwrap();
        assert!(vm.load("f.list[1] = 1").exec().is_err(), "frozen to the bottom");
    }
}
