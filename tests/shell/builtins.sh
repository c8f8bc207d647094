# Builtins.
cd /tmp; pwd; cd /; pwd; cd - ; cd /usr/../tmp/.; pwd
cd /nonexistent 2>/dev/null || echo failed
export E=exported; sh -c 'echo $E'
F=notexported; sh -c 'echo "[$F]"'
F=temp sh -c 'echo $F'; echo $F
export F; sh -c 'echo $F'
unset E; echo "[${E-gone}]"; sh -c 'echo "[$E]"'
readonly R=1; (R=2) 2>/dev/null; echo $? $R
set -- c b a; echo $*; shift; echo $*
set -- -x; echo $1; set -- --; echo $1
eval echo '$1' ; eval "a=1; b=2"; echo $a$b
eval 'for i in 1 2; do echo $i; done'
eval; echo $?
. /dev/null; echo $?
echo 'echo sourced $v; w=set; return 3; echo never' > /tmp/shsrc.$$
v=val; . /tmp/shsrc.$$; echo $? $w; rm /tmp/shsrc.$$
echo 'a b  c' | { read x y; echo "$x|$y"; }
echo 'a b  c' | { read x; echo "$x"; }
echo '  lead  trail  ' | { read x; echo "<$x>"; }
printf '%s\n' 'a\b c\ d' | { read x y; echo "$x|$y"; }
printf '%s\n' 'a\b c\ d' | { read -r x y; printf '%s\n' "$x|$y"; }
printf 'a\\\nb\n' | { read x; echo $x; }
printf 'noeol' | { read x; echo $? $x; }
read x < /dev/null; echo $? "[$x]"
echo a:b:c | { IFS=: read x y z; echo $x $y $z; }
echo a:b:c:d | { IFS=: read x y; echo "$x $y"; }
echo 'x : y' | { IFS=': ' read a b; echo "<$a><$b>"; }
echo 'x:' | { IFS=: read a b; echo "<$a><$b>"; }
echo 'x:y:' | { IFS=: read a b; echo "<$a><$b>"; }
echo ::z | { IFS=: read a b c; echo "<$a><$b><$c>"; }
type cd | cat; command -v cd; command -v sh >/dev/null && echo found
command -v nosuchcmd; echo $?
command echo via command
umask 022; umask; umask 077; umask; umask 022
true; false; echo $?
test 1 = 1 && echo t; [ 1 = 2 ] || echo f
[ -d / ] && [ ! -f / ] && [ -e /dev/null ] && echo files
[ -n x ] && [ -z "" ] && [ a != b ] && [ 2 -gt 1 ] && echo ok
[ "" ] || echo empty; [ x ] && echo nonempty; [ ! "" ] && echo notempty
[ 1 -eq 1 -a 2 -eq 2 ] && echo and; [ 1 -eq 2 -o 2 -eq 2 ] && echo or
nosuchcommand 2>/dev/null; echo $?
/dev/null 2>/dev/null; echo $?
/nonexistent/x 2>/dev/null; echo $?
./ 2>/dev/null; echo $?
printf '%s %d %x %o %c\n' str 42 255 8 char
printf '%5d|%-5s|%05d|%.2s\n' 1 ab 42 xyz
printf 'a\tb\n\101\n'; printf '%s\n' a b c; printf '%b' 'x\ny\n'; printf '%%\n'
echo -n no; echo newline
exec 2>/dev/null; nosuch; echo $?
(exec echo replaced; echo never)
(exec nosuchprog; echo never); echo $?
getopts_test() { OPTIND=1; while getopts ab:c o "$@"; do echo "$o ${OPTARG-}"; done; shift $((OPTIND-1)); echo "rest: $*"; }
getopts_test -a -b arg -c x y
getopts_test -acb arg z
getopts_test -barg -- -a
getopts_test x -a
getopts :a: o -z; echo "$o $OPTARG"; OPTIND=1; getopts :a: o -a; echo "$o $OPTARG"
set -- a b; shift 2; echo $#
x=5; unset x; echo ${x-unset}
unset -v nosuch; echo $?
set -u; (echo $nosuch) ; echo $?; set +u
: ${zz:=dflt}; echo $zz
