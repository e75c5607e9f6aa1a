//! The emulated boards: one for each kind of core that the device crate supports.
//!
//! The build scripts of the test firmware include this file to write `memory.x`, so it has no dependencies.
#![allow(dead_code, reason = "a build script needs the memory maps, the commands need the rest")]

/// A microcontroller that QEMU emulates.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// The name on the command line.
    pub name: &'static str,
    /// The name of the core.
    pub core: &'static str,
    /// The Rust target of the core.
    pub target: &'static str,
    /// The QEMU program and the arguments that choose the machine.
    pub qemu: &'static [&'static str],
    /// The memory of code and constants.
    pub flash: Region,
    /// The memory of variables and the stack.
    pub ram: Region,
}

/// A range of a board's memory.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// The address of the first byte.
    pub origin: u32,
    /// The length in KiB.
    pub kib: u32,
}

/// All boards, from the smallest core to the largest; RISC-V last.
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
    // The machine has only RAM; its first half stands for the flash.
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
    /// Returns the board with a name.
    ///
    /// # Errors
    /// There is no such board; the error lists the names.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::find(|board| board.name == name)
            .ok_or_else(|| format!("no such board; choose one of {}", list(|board| board.name)))
    }

    /// Returns the first board with a Rust target. Boards that share a target have the same memory map.
    ///
    /// # Errors
    /// No board has the target; the error lists the targets.
    pub fn of_target(target: &str) -> Result<Self, String> {
        Self::find(|board| board.target == target).ok_or_else(|| {
            format!("no board has the target {target}; build with `--target` and one of {}", list(|board| board.target))
        })
    }

    /// Returns a board that runs the same programs and has a timer that counts instructions. The emulated M0 has no such
    /// timer; its programs run on the M3 unchanged.
    pub fn metered(self) -> Self {
        let larger = Self::find(|board| board.name == "m3").unwrap_or(self);
        Self { qemu: if self.name == "m0" { larger.qemu } else { self.qemu }, ..self }
    }

    /// Returns the memory map for the linker, as `cortex-m-rt` and `riscv-rt` expect it.
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

    fn find(matches: impl Fn(&Self) -> bool) -> Option<Self> {
        BOARDS.iter().copied().find(matches)
    }
}

fn list(name: impl Fn(&Board) -> &'static str) -> String {
    BOARDS.iter().map(name).collect::<Vec<_>>().join(", ")
}
