# Errors: what ends the shell and with what.
sh -c 'echo a; if; echo b' 2>/dev/null; echo $?
sh -c 'echo "unterminated' 2>/dev/null; echo $?
sh -c 'echo $(echo' 2>/dev/null; echo $?
sh -c 'for i in 1; do echo $i' 2>/dev/null; echo $?
sh -c ')' 2>/dev/null; echo $?
sh -c '&& true' 2>/dev/null; echo $?
sh -c 'true |' 2>/dev/null; echo $?
sh -c 'echo ${x' 2>/dev/null; echo $?
sh -c 'echo ${x!y}' 2>/dev/null; echo $?
sh -c '{ echo a' 2>/dev/null; echo $?
sh -c 'case x in' 2>/dev/null; echo $?
sh -c 'echo $((1+))' 2>/dev/null; echo $?
sh -c 'echo $((1/0)); echo never' 2>/dev/null; echo $?
sh -c 'done' 2>/dev/null; echo $?
sh -c 'f() ' 2>/dev/null; echo $?
sh -c 'eval "if"; echo never' 2>/dev/null; echo $?
sh -c 'shift 5; echo never' 2>/dev/null; echo $?
sh -c '. /nonexistent; echo never' 2>/dev/null; test $? -ne 0; echo $?
sh -c 'readonly x=1; x=2; echo never' 2>/dev/null; echo $?
sh -c 'unset x; : ${x:?}; echo never' 2>/dev/null; echo $?
sh -c 'set -o nosuch; echo never' 2>/dev/null; echo $?
sh -c 'export 1x; echo never' 2>/dev/null; echo $?
sh -c ': > /nonexistent/x; echo never' 2>/dev/null; echo $?
sh -c 'true > /nonexistent/x; echo survives' 2>/dev/null; echo $?
sh -c 'cd /nonexistent; echo survives' 2>/dev/null; echo $?
sh -c 'echo a >&9; echo survives' 2>/dev/null; echo $?
sh -c 'break; echo survives' 2>/dev/null; echo $?
sh -c '(echo ${x?}; echo never); echo survives' 2>/dev/null; echo $?
sh -c 'echo "$(echo ${x?})"; echo survives' 2>/dev/null; echo $?
sh /nonexistent/script 2>/dev/null; test $? -ne 0; echo $?
sh -c 'if true; then echo x; fi; echo y; }' 2>/dev/null; echo $?
sh -c 'cat <<X
body without end' 2>/dev/null; echo $?
sh -c 'exec 3</nonexistent; echo never' 2>/dev/null; echo $?
sh -c 'x() { x; }; echo ok'; echo $?
