"""Runs programs for .ci/fuzz: a line of JSON in, a line of JSON out. It is a small process of its own, because a child's
peak memory counts from before its execve(2): a large parent would be measured instead."""
import json
import os
import sys

for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(task["directory"])
        for descriptor, (name, flags) in enumerate([("in", os.O_RDONLY), ("out", os.O_RDWR), ("err", os.O_RDWR)]):
            os.dup2(os.open(name, flags | os.O_CREAT | (os.O_TRUNC if descriptor else 0), 0o666), descriptor)
        if task["user"]:
            os.setgroups([])
            os.setgid(task["user"][1])
            os.setuid(task["user"][0])
        arguments = [os.fsencode(argument) for argument in task["arguments"]]
        os.execve(arguments[0], arguments, task["environment"])
    _, status, usage = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]), flush=True)
