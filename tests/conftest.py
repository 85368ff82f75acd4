from pfs.machine import prepare

prepare(threads=2)
