//! The emulated boards: one for each kind of core that the crate is meant for.
//!
//! Plain data with no dependency, as firmware build scripts include this very file to write their `memory.x`.
#![allow(dead_code, reason = "a build script needs the memory maps, the commands need the rest")]

/// A microcontroller that QEMU can play.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its core, in full.
    pub core: &'static str,
    /// The Rust target that builds for it.
    pub target: &'static str,
    /// The QEMU program and the arguments that choose the machine.
    pub qemu: &'static [&'static str],
    /// Where code and constants go.
    pub flash: Region,
    /// Where variables and the stack go.
    pub ram: Region,
}

/// A stretch of a board's memory.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Address of the first byte.
    pub origin: u32,
    /// Length in KiB.
    pub kib: u32,
}

/// All the boards, from the smallest core up.
pub const BOARDS: &[Board] = &[
    Board {
        name: "m0",
        core: "Cortex-M0",
        target: "thumbv6m-none-eabi",
        qemu: &["qemu-system-arm", "-M", "microbit"],
        flash: Region { origin: 0x0000_0000, kib: 256 },
        ram: Region { origin: 0x2000_0000, kib: 16 },
    },
    Board {
        name: "m3",
        core: "Cortex-M3",
        target: "thumbv7m-none-eabi",
        qemu: &["qemu-system-arm", "-M", "mps2-an385"],
        flash: Region { origin: 0x0000_0000, kib: 4096 },
        ram: Region { origin: 0x2000_0000, kib: 4096 },
    },
    Board {
        name: "m4f",
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        qemu: &["qemu-system-arm", "-M", "mps2-an386"],
        flash: Region { origin: 0x0000_0000, kib: 4096 },
        ram: Region { origin: 0x2000_0000, kib: 4096 },
    },
    Board {
        name: "m7",
        core: "Cortex-M7",
        target: "thumbv7em-none-eabihf",
        qemu: &["qemu-system-arm", "-M", "mps2-an500"],
        flash: Region { origin: 0x0000_0000, kib: 4096 },
        ram: Region { origin: 0x2000_0000, kib: 4096 },
    },
    Board {
        name: "m33",
        core: "Cortex-M33",
        target: "thumbv8m.main-none-eabihf",
        qemu: &["qemu-system-arm", "-M", "mps2-an505"],
        flash: Region { origin: 0x1000_0000, kib: 4096 },
        ram: Region { origin: 0x3800_0000, kib: 4096 },
    },
    // The machine has RAM only: its first half plays the flash.
    Board {
        name: "riscv",
        core: "RV32IMAC",
        target: "riscv32imac-unknown-none-elf",
        qemu: &["qemu-system-riscv32", "-M", "virt", "-bios", "none"],
        flash: Region { origin: 0x8000_0000, kib: 4096 },
        ram: Region { origin: 0x8040_0000, kib: 4096 },
    },
];

impl Board {
    /// The board of that name.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::find(|board| board.name == name)
            .ok_or_else(|| format!("no such board; there are {}", list(|board| board.name)))
    }

    /// The board that a Rust target builds for; of several, whose memory is the same, the first.
    pub fn of_target(target: &str) -> Result<Self, String> {
        Self::find(|board| board.target == target).ok_or_else(|| {
            format!("no board runs code for {target}; build with `--target`, one of {}", list(|board| board.target))
        })
    }

    /// A machine with a timer that counts instructions to run its programs on. The smallest board has none; a larger core
    /// runs its code as it is.
    pub fn metered(self) -> Self {
        let larger = Self::find(|board| board.name == "m3").unwrap_or(self);
        Self { qemu: if self.name == "m0" { larger.qemu } else { self.qemu }, ..self }
    }

    /// The linker's memory map, as `cortex-m-rt` and `riscv-rt` expect it.
    pub fn memory_x(&self) -> String {
        let Self { flash, ram, .. } = self;
        let mut map = format!(
            "MEMORY\n{{\n  FLASH : ORIGIN = {:#010X}, LENGTH = {}K\n  RAM : ORIGIN = {:#010X}, LENGTH = {}K\n}}\n",
            flash.origin, flash.kib, ram.origin, ram.kib
        );
        if self.target.starts_with("riscv") {
            for (section, region) in [
                ("TEXT", "FLASH"),
                ("RODATA", "FLASH"),
                ("DATA", "RAM"),
                ("BSS", "RAM"),
                ("HEAP", "RAM"),
                ("STACK", "RAM"),
            ] {
                map += &format!("REGION_ALIAS(\"REGION_{section}\", {region});\n");
            }
        }
        map
    }

    fn find(is_it: impl Fn(&Self) -> bool) -> Option<Self> {
        BOARDS.iter().copied().find(is_it)
    }
}

fn list(what: impl Fn(&Board) -> &'static str) -> String {
    BOARDS.iter().map(what).collect::<Vec<_>>().join(", ")
}
