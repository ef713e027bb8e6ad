"""What a power cut leaves of a folder, from the record that shim.c makes: what was synced is there; of what was not, some
is there and some is not, in any order and torn at sectors."""
import os, shutil, struct
import lab

WRITE, TRUNCATE, SYNC, CREATE, REMOVE = range(5)
HEAD = struct.Struct("=IIqq")
SECTOR = 512


class File:
    """One inode: the bytes that are safe, and what was done to it since."""
    def __init__(self, data=b""):
        self.data, self.pending = bytearray(data), []

    def do(self, op, at, data):
        if op == TRUNCATE:
            del self.data[at:]
            self.data.extend(bytes(at - len(self.data)))
        else:
            self.data.extend(bytes(max(0, at - len(self.data))))
            self.data[at:at + len(data)] = data

    def sync(self):
        for what in self.pending:
            self.do(*what)
        self.pending = []

    def lose(self, rng):
        """A part of what was not synced reaches the disk."""
        kept = rng.choice((0.0, 0.5, 1.0))
        for op, at, data in self.pending:
            if rng.random() >= kept and kept < 1:
                continue
            if op == WRITE and rng.random() < 0.2: # torn: some of its sectors
                for i in range(0, len(data), SECTOR):
                    if rng.random() < 0.5:
                        self.do(WRITE, at + i, data[i:i + SECTOR])
            else:
                self.do(op, at, data)


class Power:
    def __init__(self, folder, place):
        self.folder, self.record = folder, place + "/record"

    def begin(self):
        """From here on, with what the folder holds now."""
        with open(self.record, "wb"):
            pass
        self.base = {f.name: lab.read(f.path) for f in os.scandir(self.folder) if f.is_file()}
        return {"FAULT_RECORD": self.record}

    def events(self):
        raw, at = lab.read(self.record), 0
        while at < len(raw):
            op, path_n, where, n = HEAD.unpack_from(raw, at)
            at += HEAD.size
            path = raw[at:at + path_n].decode()
            at += path_n
            data = raw[at:at + n] if op == WRITE else b""
            at += len(data)
            yield op, path, where, data

    def back(self, rng):
        """The folder as the power left it. How many calls were lost at most."""
        files = {n: File(data) for n, data in self.base.items()} # what the folder would show
        safe = dict(files)                                      # what a power cut leaves of its entries
        for op, path, at, data in self.events():
            name = os.path.relpath(path, self.folder)
            if op == SYNC and name == ".":
                safe = dict(files)
            elif op == CREATE:
                files[name] = File()
            elif op == REMOVE:
                files.pop(name, None)
            elif name in files:
                if op == SYNC:
                    files[name].sync()
                else:
                    files[name].pending.append((op, at, data))
        entries = files if rng.random() < 0.5 else safe
        lost = sum(len(f.pending) for f in entries.values())
        shutil.rmtree(self.folder)
        os.mkdir(self.folder, 0o700)
        for name, f in entries.items():
            if name.endswith("-shm"):
                continue # memory
            f.lose(rng)
            with open(f"{self.folder}/{name}", "wb") as out:
                out.write(f.data)
            os.chmod(f"{self.folder}/{name}", 0o600)
        return lost
