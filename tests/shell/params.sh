# ${…} in all its forms.
unset u; e=; v=value
echo "[${u-d}] [${e-d}] [${v-d}]"
echo "[${u:-d}] [${e:-d}] [${v:-d}]"
echo "[${u+a}] [${e+a}] [${v+a}]"
echo "[${u:+a}] [${e:+a}] [${v:+a}]"
echo "[${u=x}] [$u]"; unset u
echo "[${e:=y}] [$e]"; e=
echo "${#v} ${#e} ${#u}"
p=/usr/local/lib/libfoo.so.1
echo ${p#*/} ${p##*/} ${p%/*} ${p%%/*}
echo ${p#/usr} ${p%.1} ${p%%.*} ${p##*.} ${p#nomatch} ${p%nomatch}
f='a*b*c'
echo "${f#a\*}" "${f#a'*'}" "${f%"*c"}" "${f##*\*}"
echo "${u:-"a  b"}" ${u:-a  b} ${u:-'a  b'} "${u:-'q'}"
echo ${u:-${v:-z}} "${u:-${v}}" ${u:-$(echo sub)} ${u:-`echo bq`}
set -- one two three
echo $1 ${2} ${3} $# "$*" "$@"
echo ${10-none} ${1#o} "${2%o}"
shift; echo $1 $#
shift 2; echo "[$1]" $#
set -- a b c d e f g h i j k
echo $10 ${10} ${11}
for i in "$@"; do printf '<%s>' "$i"; done; echo
for i in "$*"; do printf '<%s>' "$i"; done; echo
for i in $*; do printf '<%s>' "$i"; done; echo
set -- "a b" "c d" ""
for i in "$@"; do printf '<%s>' "$i"; done; echo
for i in $@; do printf '<%s>' "$i"; done; echo
for i in x"$@"y; do printf '<%s>' "$i"; done; echo
IFS=-; echo "$*"; IFS=' 	
'
set --; for i in "$@"; do echo never; done; echo "none:$#"
for i in "${@}" ""; do echo "<$i>"; done
set -- q; echo "${@-unset}" "${*:-empty}" ${@+"$@"}
x=abc; echo ${x}def $x.def ${x}$x
a=1 b=$a c=${b}2; echo $a $b $c
echo ${v#"${v%%a*}"}
w="a}b"; echo "${w%\}b}" ${u-\}}
echo "${u-a b  c}" "x${u+y}z"
y='*.none'; echo "$y" ${y#\*}
echo "$((${#v} + 1))"
echo ${v:+"$v" set}
