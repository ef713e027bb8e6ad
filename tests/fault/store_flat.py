#!/usr/bin/env python3
"""What a renewal writes does not grow with the number of certificates: the store filled to 1,000 and 20,000 of them, with
PERENNIAL_TORTURE to 5,000,000. That needs 16 GiB free in /var/tmp or PERENNIAL_SCRATCH, uses half of them, and takes ten
minutes.

usage: store_flat.py BENCH_FLAT     prints TAP"""
import os, re, shutil, subprocess, sys, tempfile

TORTURE = os.environ.get("PERENNIAL_TORTURE")
SIZES = ["1000", "100000", "1000000", "5000000"] if TORTURE else ["1000", "20000"]
BYTES_EACH = 1600
# Lines renewed in the order of the last time find their entries side by side at any size. By lot each renewal reaches a
# page of the index over lines that no other one of its commit needs: one page more in the log, one in the database.
MAY_GROW = {"in turn": 1.4, "by lot": 2.0}
FOLDER = os.environ.get("PERENNIAL_SCRATCH", "/var/tmp")


def main():
    print(f"1..{len(MAY_GROW) + 1}")
    need = BYTES_EACH * int(SIZES[-1])
    if shutil.disk_usage(FOLDER).free < 2 * need:
        for i in range(len(MAY_GROW) + 1):
            print(f"ok {i + 1} # SKIP {2 * need >> 20} MiB free are needed in {FOLDER}")
        return 0
    folder = tempfile.mkdtemp(prefix="perennial-flat.", dir=FOLDER)
    try:
        run = subprocess.run([sys.argv[1], folder, "2000", "stamped", *SIZES], capture_output=True, text=True)
    finally:
        shutil.rmtree(folder)
    for line in (run.stdout + run.stderr).splitlines():
        print("# " + line)
    found = re.findall(r"^ *(\d+) rows (in turn|by lot) *: .*?, +(\d+) bytes .*resident +([\d.]+) MiB", run.stdout, re.M)
    whole = run.returncode == 0 and len(found) == 2 * len(SIZES)
    good = whole
    for i, (order, most) in enumerate(MAY_GROW.items()):
        written = [int(f[2]) for f in found if f[1] == order]
        flat = whole and written[-1] <= most * written[0]
        good &= flat
        print(f"{'ok' if flat else 'not ok'} {i + 1} - renewals {order} write at most {most} times as much: {written} bytes")
    small = whole and all(float(f[3]) < 20 for f in found)
    print(f"{'ok' if small else 'not ok'} {len(MAY_GROW) + 1} - resident memory stays below 20 MiB")
    return 0 if good and small else 1


sys.exit(main())
