# Field splitting.
show() { printf '%d:' $#; for i in "$@"; do printf '<%s>' "$i"; done; echo; }
x='  a  b	c
d  '
show $x
show "$x"
show x$x"y"
show -$x-
IFS=:
y=a:b::c:
show $y
show "$y"
y=:a
show $y
y=::
show $y
y=
show $y
show $y""
IFS=': '
y='a : b:c  d : : e'
show $y
IFS=
y='a b'
show $y
unset IFS
show $y
IFS=x
show axbxc
z=axbxc
show $z
show ${z}x$z
show $(echo 1x2x3)
IFS=' '
show $(printf 'a\nb c')
IFS=' 	
'
show $(printf 'a\n\n\n')
show "$(printf 'a\n\nb\n\n')"
show $(true) x
show "$(true)" x
show $((1 + 2)) "$((3))"
IFS=1; show $((213)); IFS=' 	
'
e=; show $e $e; show "$e" $e
show ${e:-a b} "${e:-a b}"
show a${e:-b c}d
set -- 'a b' c; show $@; show "$@"; show "$*"; show $*; show "pre $@ post"
IFS=,; show "$*"; a=$*; echo "$a"; unset IFS
v="a\\b"; show $v "$v"
