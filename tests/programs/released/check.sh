#!/bin/sh
# In an empty directory with an empty home: what is installed compiles and runs programs. Arguments: the directory of these
# files, and of the programs in question.
set -eu
sources=$1 bin=$2
for language in c cpp; do
    compiler=autojit-cc
    [ $language = c ] || compiler=autojit-c++
    for level in -O0 -O2; do
        "$bin/$compiler" $level "$sources/hello.$language" -o program
        said=$(AUTOJIT_STATS=$PWD/stats.json ./program)
        [ "$said" = 42 ] || { echo "hello.$language $level says: $said"; exit 1; }
        grep -q '"bound": *[1-9]' stats.json || { echo "hello.$language $level is not lazy:"; cat stats.json; exit 1; }
        rm stats.json
    done
done
"$bin/autojit-run" --doctor
AUTOJIT_MODE=daemon AUTOJIT_BASELINE=off AUTOJIT_DISABLE_OBJECT_CACHE=1 AUTOJIT_STATS=$PWD/stats.json ./program
grep -q '"from_daemon": *[1-9]' stats.json || { echo "autojitd compiled nothing:"; cat stats.json; exit 1; }
rm stats.json
AUTOJIT_PORTABLE=1 "$bin/autojit-cc" -O0 "$sources/hello.c" -o portable
[ "$(./portable)" = 42 ]
echo everything works
