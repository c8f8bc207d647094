# ; && || ! { } ( ) and statuses.
true && echo yes
false || echo no
true || echo never
false && echo never
true && false || echo third
false || true && echo fourth
! true; echo $?
! false; echo $?
! false && echo negated
! (exit 3); echo $?
(exit 3); echo $?
{ echo in; echo group; }
{ false; }; echo $?
(echo sub; exit 2) || echo "failed $?"
x=1; (x=2; echo $x); echo $x
x=1; { x=2; }; echo $x
(cd /; pwd); cd /tmp; pwd
false; echo $? $?
true | false; echo $?
false | true; echo $?
! true | false; echo $?
exit_with() { return $1; }
exit_with 7; echo $?
exit_with 0 && echo zero
if false; then echo a; elif true; then echo b; else echo c; fi
if ! true; then echo a; else echo d; fi
if (exit 1) then echo a; else echo e; fi
if true; then :; fi; echo $?
if false; then :; fi; echo $?
while false; do :; done; echo $?
{ echo a; } | { read l; echo "got $l"; }
(echo b) | (cat)
echo one; echo two & wait; echo three
true; (exit 5) ; echo $?
:; echo $?
a=$(exit 4); echo $?
a=$(exit 4) true; echo $?
echo $(exit 4) $?
sh -c 'exit 9'; echo $?
eval 'exit_with 6'; echo $?
{ echo x
echo y; } ; echo z
false || { echo braces; false; } || echo again
