#!/usr/bin/env python3
"""A person at a terminal.   play.py COMMAND ARGS... <SCRIPT

Each line of the script is TEXT | ANSWER: once TEXT is on the screen (behind what was answered last), ANSWER is typed;
Python's escapes are known (\\r, \\003), none types nothing, and !COMMAND runs COMMAND with $PID set. The
screen goes to stdout; the exit status is the program's, 98 where a text never came, 97 where the program ended before."""
import codecs, os, pty, select, subprocess, sys, time

PATIENCE_S = 60


def main():
    steps = [line.rstrip("\n").partition(" | ")[::2] for line in sys.stdin if line.strip()]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    screen, at, why = b"", 0, None

    def read():
        """False at the end. Programs that were heard out end on their own."""
        nonlocal screen
        ready, _, _ = select.select([fd], [], [], PATIENCE_S)
        if not ready:
            raise TimeoutError
        try:
            got = os.read(fd, 65536)
        except OSError:
            got = b""
        screen += got
        sys.stdout.buffer.write(got)
        return bool(got)

    try:
        for text, answer in steps:
            while screen.find(text.encode(), at) < 0:
                if not read():
                    why = ("ended before: " + text, 97)
                    break
            if why:
                break
            at = screen.find(text.encode(), at) + len(text.encode())
            if answer.startswith("!"):
                subprocess.run(answer[1:], shell=True, check=True, env=dict(os.environ, PID=str(pid)))
            else:
                os.write(fd, codecs.escape_decode(answer.encode())[0])
        while not why and read():
            pass
    except TimeoutError:
        why = ("never came: " + (text if steps else "the end"), 98)
        os.kill(pid, 9)
    _, how = os.waitpid(pid, 0)
    sys.stdout.flush()
    if why:
        print("\n" + why[0])
        return why[1]
    return os.waitstatus_to_exitcode(how) & 255


sys.exit(main())
