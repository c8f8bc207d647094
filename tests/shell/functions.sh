# Functions, local, return, parameters.
f() { echo "f: $# $*"; }
f; f a b; f "x y"
g() { echo "$1"; shift; [ $# -gt 0 ] && g "$@"; }
g 1 2 3
echo "outer $#"
set -- p q
f inner; echo $1 $2
h() { x=changed; local y; y=local; echo $y; }
x=orig; y=outer; h; echo $x $y
fact() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }
fact 10
r() { return 3; echo never; }
r; echo $?
rr() { false; return; }
rr; echo $?
k() (echo subshell; x=sub)
k; echo $x
l() { echo "to stderr" >&2; echo to-out; } 2>/dev/null
l
m() if true; then echo if-body; fi
m
n() { echo first; }; n() { echo second; }; n
o() { unset -f o; echo gone; }; o; o 2>/dev/null; echo $?
v=1 f temp
p() { echo "v=$v"; }
v=2; v=3 p; echo $v
q() { local a=1 b=2; echo $a$b; w; }
w() { echo "dyn $a"; }
a=global; q; w
outer() { inner() { echo inner; }; inner; }; outer; inner
s() { while true; do return 4; done; }; s; echo $?
t() { echo a; echo b; }; t | while read z; do echo "[$z]"; done
u() { cat; }; echo piped | u
z() { echo "$0" | grep -c . ; }; z
aa() { eval 'return 6'; echo never; }; aa; echo $?
bb() { for i in "$@"; do echo "<$i>"; done; }; bb "a b" '' c
cc() { set -- new params; echo $*; }; set -- old; cc x; echo $*
dd_() { echo $#; }; dd_ "$@" "$*"
rec() { [ $1 = 0 ] && return; rec $(($1-1)); }; rec 50; echo deep ok
