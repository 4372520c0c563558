"""Programs that live: what `kubectl exec` starts, and a container's process 1 when somebody may type into it.

Everything else in a container is a pure function of time (programs/). A process that reads what somebody sends can't
be: it has a past. So its whole state is plain data, a cell: its place in the script, its variables, unread input, the
pipes between it and its children. Between two inputs nothing runs; at an input or a timer the kernel goes on from the
cell until every process waits, and writes the cell back. Nothing is ever executed on the host.

    kernel.py     processes, pipes, descriptors, signals; runs whoever is not waiting
    terminal.py   what a tty does between keyboard and program: echo, erase, ^C, ^D
    shell.py      sh: the tree of programs/syntax.py, one small step after another
    words.py      $a, ${a#b}, *, ~: what a word becomes
    files.py      a container's files: image, own layer, volumes, /proc
    commands/     cat, ls, grep, tar …: one function each
    answers.py    what a server's port answers: HTTP
    servers/      servers that remember: mysql, postgres, redis, mongo, and sites on top of them

Computing takes no simulated time, waiting does: `ls` answers at once, also while the clock is paused; `sleep 5` takes
five simulated seconds. A loop that never waits is made to pause (see kernel.py).

Mirrors:  a Linux kernel under runc, as far as busybox needs one
Left out: users other than root, file owners, links between files, devices, job control, core utilities' rarer options.
Read next: kernel.py, then shell.py.
"""
