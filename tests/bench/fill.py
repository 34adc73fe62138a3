#!/usr/bin/python3
"""fill: a queue of N messages out of one, as the MTA would have them.

    fill.py [-l] bmx|postfix|exim FILE DIRECTORY N

FILE is a message of that MTA's queue (of Exim's two the one in -H). Each copy
gets an ID of its own, where Exim's files begin with it, there too. -l makes hard
links: names alone, for what opens no file.
"""
import os
import sys

LINKS_MAX = 60000  # of one file; ext4 allows 65000
BASE32 = "0123456789abcdefghijklmnopqrstuv"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def digits(value, alphabet, width):
    out = ""
    for _ in range(width):
        value, digit = divmod(value, len(alphabet))
        out = alphabet[digit] + out
    return out


def bmx(path, i):
    """The time of arrival stays; what is by chance counts."""
    name = os.path.basename(path)
    return name[:11] + digits(i, BASE32, 10) + name[21:]


def postfix(_path, i):
    return "F" + digits(i, "0123456789ABCDEF", 9)


def exim(path, i):
    """Spread over the directories of a split spool, by the sixth digit."""
    name = os.path.basename(path)
    stamp = name[:4] + digits(i % 3844, BASE62, 2)
    return stamp + "-" + digits(i // 3844, BASE62, 6) + "-00"


class Source:
    """A file that is copied, or linked to a copy of itself now and then."""

    def __init__(self, path, is_linked):
        with open(path, "rb") as f:
            self.data = f.read()
        st = os.stat(path)
        self.mode, self.uid, self.gid = st.st_mode & 0o7777, st.st_uid, st.st_gid
        self.is_linked, self.links, self.last = is_linked, LINKS_MAX, None

    def put(self, target, old=b"", new=b""):
        if self.is_linked and self.links < LINKS_MAX:
            os.link(self.last, target)
            self.links += 1
            return
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.mode)
        os.write(fd, self.data.replace(old, new, 1) if old else self.data)
        os.fchmod(fd, self.mode)
        os.fchown(fd, self.uid, self.gid)
        os.close(fd)
        self.last, self.links = target, 1


def fill(make, path, is_linked, directory, n):
    source = Source(path, is_linked)
    for i in range(n):
        source.put(os.path.join(directory, make(path, i)))


def fill_exim(path, is_linked, directory, n):
    stem = path[:-2]
    old = os.path.basename(stem).encode()
    # nothing here opens -D
    sources = [("-H", Source(stem + "-H", is_linked)), ("-D", Source(stem + "-D", True))]
    owner = os.stat(directory)
    for i in range(n):
        name = exim(stem, i)
        split = os.path.join(directory, name[5])
        if not os.path.isdir(split):
            os.mkdir(split, 0o750)
            os.chown(split, owner.st_uid, owner.st_gid)
        for suffix, source in sources:
            source.put(os.path.join(split, name + suffix), old, name.encode())


def main():
    args = sys.argv[1:]
    is_linked = args[0] == "-l"
    kind, path, directory, n = args[is_linked:]
    if kind == "exim":
        fill_exim(path, is_linked, directory, int(n))
    else:
        make = {"bmx": bmx, "postfix": postfix}[kind]
        fill(make, path, is_linked, directory, int(n))


main()
