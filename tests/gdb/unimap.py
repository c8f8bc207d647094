# SPDX-License-Identifier: MIT
"""gdb commands for a kernel that runs under QEMU: `help user-defined` lists them.

Kernel structures lie in the direct map, where the virtual address is the physical one. A hart may
have stopped in user mode, and QEMU then refuses kernel addresses: structures are therefore read in
QEMU's physical mode, and the few that lie elsewhere (kernel stacks) through a page walk of our own.
"""
import contextlib
import re

import gdb

PAGE = 4096
PTE_FLAGS = "VRWXUGAD"
USER_TOP = 0x0C000000
MAX_FRAMES = 40


@contextlib.contextmanager
def physical():
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)
    try:
        yield
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)
        gdb.execute("maintenance flush dcache", to_string=True)


def read_u64(pa):
    return int.from_bytes(bytes(gdb.selected_inferior().read_memory(pa, 8)), "little")


def var(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise gdb.GdbError(f"this kernel has no `{name}`")
    return symbol.value()


def number(value):
    """An integer out of a gdb value, _Atomic or not."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


def list_items(head, struct, member):
    """The structs on a kernel list, first to last."""
    kind = gdb.lookup_type("struct " + struct)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    node = head["next"]
    while int(node) not in (int(head.address), 0):
        yield gdb.Value(int(node) - offset).cast(kind.pointer()).dereference()
        node = node["next"]


def kernel_root():
    return int(var("kernel_pagetable")["root"])


def walk(root, va):
    """Entries from the root down to the leaf, as (level, address of the entry, entry)."""
    found = []
    table = root
    for level in (2, 1, 0):
        at = table + (va >> (12 + 9 * level) & 511) * 8
        entry = read_u64(at)
        found.append((level, at, entry))
        if not entry & 1 or entry & 0xE:
            break
        table = (entry >> 10 & (1 << 44) - 1) << 12
    return found


def leaf_pa(path, va):
    level, _, entry = path[-1]
    if not entry & 1 or not entry & 0xE:
        return None
    size = PAGE << 9 * level
    return ((entry >> 10 & (1 << 44) - 1) << 12) & ~(size - 1) | va & (size - 1)


def symbol_of(pc):
    """Of a return address: the call before it, for it may be the last thing in its function."""
    text = gdb.execute(f"info symbol {pc - 1:#x}", to_string=True).strip()
    name = re.sub(r" in section .*", "", text)
    return "?" if name.startswith("No symbol") else name.replace(" + ", "+")


def frames(pc, fp, root):
    """Follows saved frame pointers (fp-16: the caller's, fp-8: where it goes on)."""
    yield pc
    for _ in range(MAX_FRAMES):
        if fp < USER_TOP or fp & 7:
            return
        at = leaf_pa(walk(root, fp - 16), fp - 16)
        if at is None:
            return
        fp, pc = read_u64(at), read_u64(at + 8)
        if not number(gdb.parse_and_eval("(unsigned long)&text_start")) <= pc < number(
                gdb.parse_and_eval("(unsigned long)&text_end")):
            return
        yield pc


class Command(gdb.Command):
    """A command whose name and help are the class's `name` and docstring."""
    name = ""

    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        self.run(gdb.string_to_argv(argument))

    def run(self, args):
        raise NotImplementedError


def all_threads():
    """Idle threads first (not all of them are on the list), then the rest by age."""
    harts, count = var("harts"), number(var("hart_count"))
    idle = [harts[i]["idle"] for i in range(count) if int(harts[i]["idle"])]
    yield from (thread.dereference() for thread in idle)
    for thread in list_items(var("all_threads"), "thread", "all_link"):
        if int(thread.address) not in map(int, idle):
            yield thread


def thread_line(thread):
    state = {0: "runnable", 1: "sleeping", 2: "dead"}[number(thread["state"])]
    hart = number(thread["hart"]["index"]) if int(thread["hart"]) else "-"
    pid = number(thread["proc"]["pid"]) if int(thread["proc"]) else "-"
    on = f"on hart {hart}" if thread["on_cpu"] else f"last on {hart}"
    return f"{number(thread['tid']):5} {pid:>5} {thread['name'].string():15} {state:8} {on}"


def saved_frames(thread):
    context = thread["context"]
    return list(frames(number(context["ra"]), number(context["s"][0]), kernel_root()))


class Threads(Command):
    """threads: every thread of the kernel, its state, and where it sleeps."""
    name = "threads"

    def run(self, args):
        print("  tid   pid name            state    hart")
        with physical():
            for thread in all_threads():
                line = thread_line(thread)
                if not thread["on_cpu"] and number(thread["context"]["sp"]):
                    names = [symbol_of(pc) for pc in saved_frames(thread)]
                    inner = [n for n in names if not re.match(r"(schedule|sched_|waiter_|arch_)", n)]
                    line += "  " + " < ".join(inner[:3])
                print(line)


class BtAll(Command):
    """bt-all: backtraces of what each hart runs, then of every thread that does not run."""
    name = "bt-all"

    def run(self, args):
        gdb.execute("thread apply all -s backtrace")
        with physical():
            for thread in all_threads():
                if thread["on_cpu"]:
                    continue
                print("\n" + thread_line(thread))
                for pc in saved_frames(thread):
                    print(f"    {pc:#x} {symbol_of(pc)}")


def process_table(pid):
    """Root of a process's page table, and its address space."""
    for thread in all_threads():
        if int(thread["proc"]) and number(thread["proc"]["pid"]) == pid and int(thread["as"]):
            space = thread["as"].dereference()
            return int(space["pt"]["root"]), space
    raise gdb.GdbError(f"no process {pid} with an address space")


class PageTable(Command):
    """pt VA [PID]: walks the page table that this hart has in satp, or the process's, to VA."""
    name = "pt"

    def run(self, args):
        if len(args) not in (1, 2):
            raise gdb.GdbError("pt VA [PID]")
        va = number(gdb.parse_and_eval(args[0]))
        satp = number(gdb.parse_and_eval("$satp"))
        with physical():
            if len(args) == 2:
                root = process_table(int(args[1], 0))[0]
            elif satp >> 60 == 8:
                root = (satp & (1 << 44) - 1) << 12
            else:
                raise gdb.GdbError("translation is off on this hart (satp = 0)")
            path = walk(root, va)
        print(f"page table {root:#x}, address {va:#x}")
        for level, at, entry in path:
            flags = "".join(c if entry >> i & 1 else "-" for i, c in enumerate(PTE_FLAGS))
            print(f"  level {level}: entry {(at & PAGE - 1) // 8:3} at {at:#x}: {entry:#018x} {flags}"
                  f" pa {(entry >> 10 & (1 << 44) - 1) << 12:#x}")
        pa = leaf_pa(path, va)
        print("  not mapped" if pa is None else f"  -> pa {pa:#x} ({['4 KiB', '2 MiB', '1 GiB'][path[-1][0]]} page)")


class Vmas(Command):
    """vmas PID: the areas of a process's memory."""
    name = "vmas"

    def run(self, args):
        if len(args) != 1:
            raise gdb.GdbError("vmas PID")
        with physical():
            _, space = process_table(int(args[0], 0))
            for i in range(number(space["nvmas"])):
                vma = space["vmas"][i]
                prot, flags = number(vma["prot"]), number(vma["flags"])
                rights = "".join(c if prot >> n & 1 else "-" for n, c in enumerate("rwx"))
                kinds = [k for n, k in enumerate(("shared", "stack", "heap", "vdso")) if flags >> n & 1]
                file = f"file {int(vma['file']):#x} page {number(vma['pgoff'])}" if int(vma["file"]) else ""
                print(f"{number(vma['start']):012x}-{number(vma['end']):012x} {rights} "
                      f"{' '.join(kinds):6} {file}".rstrip())


def ranks(mask, enum):
    """Names of the bits of a mask of lock ranks."""
    names = {f.enumval: f.name for f in gdb.lookup_type("enum " + enum).fields()}
    return [names.get(bit, str(bit)) for bit in range(64) if mask >> bit & 1]


class Locks(Command):
    """locks: ranks of the spinlocks each hart holds and the mutexes each thread holds (DEBUG=1)."""
    name = "locks"

    def run(self, args):
        with physical():
            harts = var("harts")
            for i in range(number(var("hart_count"))):
                held = ranks(number(harts[i]["lock_mask"]), "lock_rank")
                print(f"hart {i}: {' '.join(held) or 'no spinlock'}")
            for thread in all_threads():
                held = ranks(number(thread["mutex_mask"]), "mutex_rank")
                if held:
                    print(f"{thread_line(thread)}: {' '.join(held)}")


class Klog(Command):
    """klog [N]: the last N (40) lines of the kernel's log."""
    name = "klog"

    def run(self, args):
        with physical():
            ring = gdb.parse_and_eval("'lib/log.c'::ring")
            end = number(gdb.parse_and_eval("'lib/log.c'::ring_end"))
            size = ring.type.sizeof
            data = bytes(gdb.selected_inferior().read_memory(int(ring.address), size))
        start = max(0, end - size)
        text = bytes(data[i % size] for i in range(start, end)).decode(errors="replace")
        for line in text.splitlines()[-int(args[0]) if args else -40:]:
            print(line)


for command in (Threads, BtAll, PageTable, Vmas, Locks, Klog):
    command()
gdb.execute("set print pretty on")
gdb.execute("set pagination off")
