"""Lines of lazily compiled code in processes that gdb attaches to, and in core files.

What unoptimised builds and the object cache have published in a process has names in gdb and no lines: these are made
on demand (docs/decisions/0072). This script has gdb ask, by a call of the runtime's __autojit_describe, and reads the answer,
an ELF file, out of the process's memory. It does so before each prompt if there is new code, and in the command autojit-lines.
For a core file `autojit-run --core-lines` asks instead, when gdb opens it (docs/decisions/0074).
`autojit-run gdb` loads it, and so does gdb itself where the Debian package is installed; else: source …/share/autojit/gdb.py

A process that gdb has started, and one with AUTOJIT_DEBUGGER=on, needs nothing of this.
"""

import atexit
import os
import re
import shutil
import struct
import subprocess
import tempfile

import gdb

# What no thread may be in, as the runtime takes its own locks and the loader's.
LOCKED = ("libautojit.so", "libautojit-runtime.so", "ld-linux-x86-64.so.2")
# The same with the static runtime: the C library's function that takes the loader's lock, or is that of a static program.
LOCKING = ("dl_iterate_phdr", "__dl_iterate_phdr")
# How far down each stack that is looked for: both call nothing of the program's, but for what the loader initialises.
DEPTH = 64
# The runtime's answer: how many batches of code there are, what is added to addresses in the file, where it is, its size.
ANSWER = struct.Struct("<4Q")

# Where the runtime is that a program has inside: a note with three numbers, each of which is relative to its own place: the
# function, and the bounds of the runtime's code. (trampoline/src/arch/x86_64/linked.rs)
NOTE = struct.pack("<3I8s", 8, 12, 1, b"autojit")
NUMBERS = struct.Struct("<3i")
# A program header: its type, what it is allowed, its offset, address, physical address, size in the file, in memory, alignment.
HEADER = struct.Struct("<2I6Q")
FILE_HEADER, PT_LOAD, PT_NOTE, PT_PHDR = 64, 1, 4, 6
MOST_NOTES = 1 << 20

# By the numbers of gdb's inferiors: the process or the core file, how many batches of its code gdb knows, and the file with
# their lines, if there are any.
known = {}


def find_tool():
    """autojit-run, of the same installation or of the system's package."""
    script = globals().get("__file__")
    if script is not None:
        beside = os.path.join(os.path.dirname(os.path.realpath(script)), "../../bin/autojit-run")
        if os.access(beside, os.X_OK):
            return beside
    return shutil.which("autojit-run")


# gdb tells a script its name while it loads it only.
TOOL = find_tool()


def auxiliary(name):
    """A value that the kernel has given to the program."""
    found = re.search(r"^\d+\s+%s\s.*?(\w+)$" % name, gdb.execute("info auxv", to_string=True), re.MULTILINE)
    return None if found is None else int(found.group(1), 0)


def runtime_inside(inferior):
    """Addresses in a program that has the static runtime inside: of the function, and the bounds of the runtime's code."""
    place, count = auxiliary("AT_PHDR"), auxiliary("AT_PHNUM")
    if place is None or count is None:
        return None
    headers = list(HEADER.iter_unpack(inferior.read_memory(place, count * HEADER.size).tobytes()))
    # What is added to the addresses in the file.
    base = next((place - header[3] for header in headers if header[0] == PT_PHDR), None)
    if base is None:
        base = next((place - FILE_HEADER - header[3] for header in headers if header[:3:2] == (PT_LOAD, 0)), None)
    if base is None:
        return None
    for kind, _, _, address, _, _, size, _ in headers:
        if kind == PT_NOTE and size <= MOST_NOTES:
            notes = inferior.read_memory(base + address, size).tobytes()
            at = notes.find(NOTE) + len(NOTE)
            if at >= len(NOTE) and at + NUMBERS.size <= size:
                numbers = enumerate(NUMBERS.unpack_from(notes, at))
                return [base + address + at + 4 * index + number for index, number in numbers]
    return None


def runtime(inferior):
    """The runtime that answers, in a process or a core file: its function, and the bounds of its code if it is inside the
    program. None if there is none."""
    try:
        # That of a library is the one that runs, if there is one.
        return int(gdb.parse_and_eval("(long)&__autojit_describe")), 0, 0
    except gdb.error:
        pass
    try:
        return runtime_inside(inferior)
    except gdb.error:
        # No memory, or a process that is running.
        return None


def is_attached(inferior):
    """Whether gdb has come to a process that was running."""
    return inferior.pid != 0 and inferior.was_attached


def core_file(inferior):
    """The core file that gdb looks at, or None."""
    if inferior.pid == 0 or inferior.was_attached:
        return None
    # Older gdbs do not say what they are connected to.
    connection = getattr(inferior, "connection", None)
    if connection is not None and connection.type != "core":
        return None
    found = re.search(r"core dump file:\s*`(.*)', file type", gdb.execute("info files", to_string=True))
    return None if found is None else found.group(1)


def is_locked(inferior, start, end):
    """Whether a thread is where it may have locks that the runtime's answer takes. `start` and `end`: a runtime's own code."""
    selected = gdb.selected_thread()
    try:
        for thread in inferior.threads():
            thread.switch()
            frame, depth = gdb.newest_frame(), 0
            while frame is not None and depth < DEPTH:
                library = gdb.solib_name(frame.pc())
                if library is not None and os.path.basename(library) in LOCKED:
                    return True
                if start <= frame.pc() < end or end != 0 and frame.name() in LOCKING:
                    return True
                frame, depth = frame.older(), depth + 1
    finally:
        if selected is not None:
            selected.switch()
    return False


def ask(function, batches):
    """The answer of the runtime's function to a debugger that knows so many batches, or None if there are no others."""
    with_others = gdb.parameter("scheduler-locking")
    gdb.execute("set scheduler-locking on", to_string=True)
    try:
        question = "((unsigned long (*)(unsigned long))%d)(%d)" % (function, batches)
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
    _, _, path = known.pop(number, (None, 0, None))
    if path is None:
        return
    try:
        gdb.execute("remove-symbol-file %s" % path, to_string=True)
    except gdb.error:
        # gdb has dropped them with a process that has ended.
        pass
    os.unlink(path)


def add(inferior, process, count, path, base):
    """Has gdb know a file with lines."""
    known[inferior.num] = (process, count, path)
    # gdb asks whether one is sure.
    confirms = gdb.parameter("confirm")
    gdb.execute("set confirm off")
    try:
        gdb.execute("add-symbol-file %s -o %d" % (path, base), to_string=True)
    finally:
        gdb.execute("set confirm %s" % ("on" if confirms else "off"))


def new_file(content=b""):
    """The path of a new file."""
    with tempfile.NamedTemporaryFile(prefix="autojit-lines-", delete=False) as file:
        file.write(content)
    return file.name


def bring_from_process(inferior):
    """Has gdb know the lines of all code of a process. What is in the way, if anything."""
    found = runtime(inferior) if is_attached(inferior) else None
    if found is None:
        return "no process that runs with autojit's runtime is attached"
    if known.get(inferior.num, (inferior.pid,))[0] != inferior.pid:
        forget(inferior.num)
    function, start, end = found
    if is_locked(inferior, start, end):
        return "a thread is in autojit's runtime or in the loader: continue and interrupt it again"
    answer = ask(function, known.get(inferior.num, (None, 0))[1])
    if answer is None:
        return None
    count, base, content = answer
    forget(inferior.num)
    add(inferior, inferior.pid, count, new_file(content), base)
    return None


def bring_from_core(inferior, core):
    """Has gdb know the lines of all code in a core file. What is in the way or missing, if anything."""
    if TOOL is None:
        return "autojit-run is not in PATH"
    forget(inferior.num)
    # Nothing that comes later changes a core file.
    known[inferior.num] = (core, 0, None)
    path = new_file()
    done = subprocess.run([TOOL, "--core-lines", core, path], stdin=subprocess.DEVNULL, capture_output=True)
    said = done.stderr.decode(errors="replace").strip().replace("autojit-run: ", "")
    base = re.search(rb" -o (0x[0-9a-f]+)\s*$", done.stdout)
    if done.returncode == 0 and base is not None:
        add(inferior, core, 0, path, int(base.group(1), 16))
    else:
        os.unlink(path)
    return said or None


class Lines(gdb.Command):
    """Tell gdb the lines of lazily compiled code in an attached process or a core file.

That is done by itself when a core file is opened, and before each prompt, unless a thread of the process is in autojit's
runtime or in the loader."""

    def __init__(self):
        super().__init__("autojit-lines", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        inferior = gdb.selected_inferior()
        core = core_file(inferior)
        reason = bring_from_process(inferior) if core is None else bring_from_core(inferior, core)
        if reason is not None:
            raise gdb.GdbError("autojit-lines: %s" % reason)


def bring_at_once(inferior, core):
    """Brings the lines of a core file, if that was not tried yet, and says what is missing."""
    if known.get(inferior.num, (None,))[0] != core and runtime(inferior) is not None:
        reason = bring_from_core(inferior, core)
        if reason is not None:
            gdb.write("autojit: %s\n" % reason, gdb.STDERR)


def before_prompt():
    """Brings lines where that is possible: of a process in silence, as there is another prompt."""
    inferior = gdb.selected_inferior()
    try:
        core = core_file(inferior)
        if core is not None:
            bring_at_once(inferior, core)
            return
        if isinstance(known.get(inferior.num, (None,))[0], str):
            # That was another process.
            forget(inferior.num)
        bring_from_process(inferior)
    except gdb.error:
        # A process that is running, or about to end.
        pass


def with_objects(event):
    """Brings the lines of a core file as soon as gdb has seen the runtime in it: in scripts there is no prompt. The kernel's object
    comes last, and for static programs as well."""
    name = os.path.basename(event.new_objfile.filename or "")
    if not name.startswith(("libautojit", "system-supplied DSO")):
        return
    inferior = gdb.selected_inferior()
    try:
        core = core_file(inferior)
        if core is not None:
            bring_at_once(inferior, core)
    except gdb.error:
        # The prompt tries again.
        pass


def remove_files():
    """gdb ends."""
    for _, _, path in known.values():
        if path is not None:
            os.unlink(path)


# gdb may load the script once for each process.
if not hasattr(gdb, "autojit_lines"):
    gdb.autojit_lines = Lines()
    gdb.events.before_prompt.connect(before_prompt)
    gdb.events.new_objfile.connect(with_objects)
    atexit.register(remove_files)
