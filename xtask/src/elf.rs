//! Finds code in linked Arm programs that the device crate must not need: floating point, long divisions, variables.

use anyhow::{Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::fs;
use std::path::Path;

/// Compiler helpers that divide 64-bit integers.
const DIVISIONS: [&str; 6] = ["__aeabi_uldivmod", "__aeabi_ldivmod", "__udivdi3", "__divdi3", "__umoddi3", "__moddi3"];

/// Prefixes of compiler helpers that compute with software floats or convert to them.
const FLOATS: [&str; 8] =
    ["__aeabi_f", "__aeabi_d", "__aeabi_i2", "__aeabi_ui2", "__aeabi_l2", "__aeabi_ul2", "__float", "__fix"];

/// Lists software floating point, VFP arithmetic, variables and, unless `may_divide`, 64-bit divisions in a program.
///
/// # Errors
/// The file cannot be read as a program with symbols.
pub fn offenders(program: &Path, may_divide: bool) -> Result<Vec<String>> {
    let elf = fs::read(program)?;
    let file = object::File::parse(&*elf)?;
    let names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    ensure!(names.iter().any(|name| name.contains("main")), "{} has no symbols", program.display());
    let float = |name: &str| {
        FLOATS.iter().any(|start| name.starts_with(start)) && !name.contains("div0")
            || ["sf2", "sf3", "df2", "df3"].iter().any(|end| name.ends_with(end))
    };
    let is_call = |name: &&str| float(name) || !may_divide && DIVISIONS.contains(name);
    let mut found: Vec<String> = names.into_iter().filter(is_call).map(str::to_owned).collect();
    found.extend(vfp(&file)?);
    for name in [".data", ".bss"] {
        let bytes = file.section_by_name(name).map_or(0, |section| section.size());
        found.extend((bytes > 0).then(|| format!("{bytes} bytes of {name}")));
    }
    Ok(found)
}

/// Lists the floating-point instructions that compute, convert or compare, with their functions.
fn vfp(file: &object::File) -> Result<Vec<String>> {
    let Some(text) = file.section_by_name(".text") else { return Ok(Vec::new()) };
    let (start, code) = (text.address(), text.data()?);
    // Mapping symbols mark where code and where constants begin.
    let is_mark = |name: &str, mark: &str| name == mark || name.starts_with(&format!("{mark}."));
    let mut marks: Vec<(u64, bool)> = Vec::new();
    let mut functions: Vec<(u64, &str)> = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.section_index() == Some(text.index())) {
        let (name, at) = (symbol.name()?, symbol.address() & !1);
        if is_mark(name, "$t") || is_mark(name, "$d") {
            marks.push((at, is_mark(name, "$t")));
        } else if symbol.kind() == SymbolKind::Text {
            functions.push((at, name));
        }
    }
    ensure!(!marks.is_empty(), "the program has no mapping symbols, so code and constants look alike");
    marks.sort_unstable();
    functions.sort_unstable();
    marks.push((start + code.len() as u64, false));
    let mut found = Vec::new();
    for pair in marks.windows(2).filter(|pair| pair[0].1) {
        let range = &code[(pair[0].0 - start) as usize..(pair[1].0 - start) as usize];
        let halves: Vec<u16> = range.as_chunks().0.iter().map(|&half| u16::from_le_bytes(half)).collect();
        let mut at = 0;
        while at < halves.len() {
            // Instructions of 32 bits begin with 0b11101, 0b11110 or 0b11111.
            let wide = halves[at] >> 11 > 0b11100;
            if wide && halves.get(at + 1).is_some_and(|&second| computes(halves[at], second)) {
                let address = pair[0].0 + 2 * at as u64;
                let function = functions.partition_point(|&(start, _)| start <= address).checked_sub(1);
                let name = function.map_or("?", |function| functions[function].1);
                found.push(format!("a floating-point instruction at {address:#x} in {name}"));
            }
            at += if wide { 2 } else { 1 };
        }
    }
    Ok(found)
}

/// Returns whether an instruction is floating-point data processing (Armv7-M Architecture Reference Manual, A6.4). Moves
/// between registers and memory are not.
const fn computes(first: u16, second: u16) -> bool {
    first & 0xEF00 == 0xEE00 && second & 0x0E10 == 0x0A00
}

#[cfg(test)]
mod tests {
    use super::computes;

    #[test]
    fn arithmetic_is_distinguished_from_moves() {
        // vadd.f32 s0, s0, s1; vcvt.f32.s32 s0, s0; vcmp.f32 s0, #0
        assert!([(0xEE30, 0x0A20), (0xEEB8, 0x0AC0), (0xEEB5, 0x0A40)].into_iter().all(|(a, b)| computes(a, b)));
        // vmov r0, s0; vldr s0, [r0]; vpush {s16}; bl
        assert!(
            ![(0xEE10, 0x0A10), (0xED90, 0x0A00), (0xED2D, 0x8A01), (0xF000, 0xF800)]
                .into_iter()
                .any(|(a, b)| computes(a, b))
        );
    }
}
