"""Lines of lazily compiled code in processes that gdb attaches to.

What unoptimised builds and the object cache have published in a process has names in gdb and no lines: these are made
on demand (docs/decisions/0072). This script has gdb ask, by a call of the runtime's __autojit_describe, and reads the answer,
an ELF file, out of the process's memory. It does so before each prompt if there is new code, and in the command autojit-lines.
`autojit-run gdb` loads it, and so does gdb itself where the Debian package is installed; else: source …/share/autojit/gdb.py

A process that gdb has started, and one with AUTOJIT_DEBUGGER=on, needs nothing of this.
"""

import atexit
import os
import struct
import tempfile

import gdb

# What no thread may be in, as the runtime takes its own locks and the loader's.
LOCKED = ("libautojit.so", "libautojit-runtime.so", "ld-linux-x86-64.so.2")
# How far down each stack that is looked for: both call nothing of the program's, but for what the loader initialises.
DEPTH = 64
# The runtime's answer: how many batches of code there are, what is added to addresses in the file, where it is, its size.
ANSWER = struct.Struct("<4Q")

# By the numbers of gdb's inferiors: the process, how many batches of its code gdb knows, and the file with their lines.
known = {}


def is_attached(inferior):
    """Whether gdb has come to a process that runs with a runtime that answers."""
    if inferior.pid == 0 or not inferior.was_attached:
        return False
    try:
        gdb.parse_and_eval("(long)&__autojit_describe")
        return True
    except gdb.error:
        return False


def is_locked(inferior):
    """Whether a thread is where it may have locks that the runtime's answer takes."""
    selected = gdb.selected_thread()
    try:
        for thread in inferior.threads():
            thread.switch()
            frame, depth = gdb.newest_frame(), 0
            while frame is not None and depth < DEPTH:
                library = gdb.solib_name(frame.pc())
                if library is not None and os.path.basename(library) in LOCKED:
                    return True
                frame, depth = frame.older(), depth + 1
    finally:
        if selected is not None:
            selected.switch()
    return False


def ask(batches):
    """The runtime's answer to a debugger that knows so many batches, or None if there are no others."""
    with_others = gdb.parameter("scheduler-locking")
    gdb.execute("set scheduler-locking on", to_string=True)
    try:
        question = "((unsigned long (*)(unsigned long))&__autojit_describe)(%d)" % batches
        place = int(gdb.parse_and_eval(question))
    finally:
        gdb.execute("set scheduler-locking %s" % with_others, to_string=True)
    if place == 0:
        return None
    inferior = gdb.selected_inferior()
    count, base, place, size = ANSWER.unpack(inferior.read_memory(place, ANSWER.size).tobytes())
    return count, base, inferior.read_memory(place, size).tobytes()


def forget(number):
    """Takes the lines of a process away from gdb."""
    _, _, path = known.pop(number, (0, 0, None))
    if path is None:
        return
    try:
        gdb.execute("remove-symbol-file %s" % path, to_string=True)
    except gdb.error:
        # gdb has dropped them with a process that has ended.
        pass
    os.unlink(path)


def bring_lines():
    """Has gdb know the lines of all code of the process. What is in the way, if anything."""
    inferior = gdb.selected_inferior()
    if not is_attached(inferior):
        return "no process that runs with autojit's runtime is attached"
    if known.get(inferior.num, (inferior.pid,))[0] != inferior.pid:
        forget(inferior.num)
    if is_locked(inferior):
        return "a thread is in autojit's runtime or in the loader: continue and interrupt it again"
    answer = ask(known.get(inferior.num, (0, 0))[1])
    if answer is None:
        return None
    count, base, content = answer
    forget(inferior.num)
    with tempfile.NamedTemporaryFile(prefix="autojit-lines-", delete=False) as file:
        file.write(content)
    known[inferior.num] = (inferior.pid, count, file.name)
    # gdb asks whether one is sure.
    confirms = gdb.parameter("confirm")
    gdb.execute("set confirm off")
    try:
        gdb.execute("add-symbol-file %s -o %d" % (file.name, base), to_string=True)
    finally:
        gdb.execute("set confirm %s" % ("on" if confirms else "off"))
    return None


class Lines(gdb.Command):
    """Tell gdb the lines of lazily compiled code in an attached process.

Before each prompt that is done by itself, unless a thread is in autojit's runtime or in the loader."""

    def __init__(self):
        super().__init__("autojit-lines", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        reason = bring_lines()
        if reason is not None:
            raise gdb.GdbError("autojit-lines: %s" % reason)


def before_prompt():
    """Brings lines where that is possible, in silence."""
    try:
        bring_lines()
    except gdb.error:
        # A process that is running, or about to end: there is another prompt.
        pass


def remove_files():
    """gdb ends."""
    for _, _, path in known.values():
        os.unlink(path)


# gdb may load the script once for each process.
if not hasattr(gdb, "autojit_lines"):
    gdb.autojit_lines = Lines()
    gdb.events.before_prompt.connect(before_prompt)
    atexit.register(remove_files)
