"""What scripts do: text, JSON, sorting, classes, threads, compression.

Its argument scales the work; what it prints depends on nothing else.
"""
import collections
import copy
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import threading
import zlib


class Tree:
    """A binary tree of words, so that there are many small objects."""

    def __init__(self, word):
        self.word, self.count, self.left, self.right = word, 1, None, None

    def add(self, word):
        node = self
        while node.word != word:
            side = "left" if word < node.word else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Tree(word))
                return
            node = child
        node.count += 1

    def walk(self):
        stack, node = [], self
        while stack or node:
            while node:
                stack.append(node)
                node = node.left
            node = stack.pop()
            yield node.word, node.count
            node = node.right


def words(n):
    state = 12345
    for i in range(n):
        state = (state * 1103515245 + 12345) % 2**31
        yield "%x" % (state >> (7 + i % 12))


def text_work(n):
    tree = Tree("8000")
    for word in words(n):
        tree.add(word)
    listed = list(tree.walk())
    return len(listed), max(count for _, count in listed)


def json_work(n):
    rows = [{"id": i, "name": w, "tags": [w[:2], w[-2:]], "x": i / 7}
            for i, w in enumerate(words(n))]
    text = json.dumps(rows)
    again = copy.deepcopy(json.loads(text))
    return len(text), sorted(again, key=lambda row: row["name"])[0]["name"]


def regex_work(n):
    text = " ".join(words(n))
    found = collections.Counter(re.findall(r"\b[0-9]+([a-f])", text))
    return sorted(found.items())


def csv_work(n):
    out = io.StringIO()
    csv.writer(out).writerows(zip(words(n), range(n)))
    out.seek(0)
    return sum(int(row[1]) for row in csv.reader(out))


def thread_work(n):
    results = [None] * 4

    def compress(index):
        data = "".join(words(n + index)).encode()
        results[index] = hashlib.sha256(zlib.compress(data)).hexdigest()[:8]

    threads = [threading.Thread(target=compress, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main():
    n = 2000 + 20000 * int(sys.argv[1])
    for work in text_work, json_work, regex_work, csv_work, thread_work:
        print(work.__name__, work(n))
    print(subprocess.run(["echo", "from a child"], capture_output=True,
                         text=True, check=True).stdout.strip())


main()
