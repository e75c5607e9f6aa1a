"""Evaluates a Kconfig file and a fragment, as Zephyr does: configure.py KCONFIG FRAGMENT OUTPUT."""

import sys

import kconfiglib

kconfig = kconfiglib.Kconfig(sys.argv[1], warn_to_stderr=False)
kconfig.load_config(sys.argv[2])
kconfig.write_config(sys.argv[3])
# A symbol of the fragment that does not exist is a warning of kconfiglib.
if kconfig.warnings:
    sys.exit("\n".join(kconfig.warnings))
