# set -e.
sh -e -c 'echo a; false; echo never'; echo $?
sh -e -c 'false || true; echo b'; echo $?
sh -e -c 'if false; then :; fi; echo c'; echo $?
sh -e -c '! true; echo d'; echo $?
sh -e -c 'false && true; echo e'; echo $?
sh -e -c 'true && false; echo never'; echo $?
sh -e -c 'while false; do :; done; echo f'; echo $?
sh -e -c '(false); echo never'; echo $?
sh -e -c 'x=$(false); echo never'; echo $?
sh -e -c 'echo $(false); echo g'; echo $?
sh -e -c 'f() { false; echo never; }; f; echo never'; echo $?
sh -e -c 'f() { false; echo h; }; f || true; echo i'; echo $?
sh -e -c 'false | true; echo j'; echo $?
sh -e -c 'true | false; echo never'; echo $?
sh -e -c '{ false; }; echo never'; echo $?
sh -c 'set -e; (exit 5); echo never'; echo $?
sh -c 'set -e; set +e; false; echo k'; echo $?
sh -e -c 'nosuch; echo never' 2>/dev/null; echo $?
sh -e -c 'trap "echo trapped" EXIT; false; echo never'; echo $?
sh -e -c 'case x in x) false;; esac; echo never'; echo $?
sh -e -c 'for i in 1 2; do false; echo never; done'; echo $?
sh -e -c 'until true; do :; done; echo l'; echo $?
sh -e -c 'eval "false"; echo never'; echo $?
sh -e -c 'false & wait; echo m'; echo $?
sh -u -c 'echo $undef; echo never' 2>/dev/null; echo $?
sh -u -c 'echo ${undef-ok}'; echo $?
sh -u -c 'set --; echo "$@" $*; echo fine'; echo $?
sh -c 'echo ${x?message}; echo never' 2>/dev/null; echo $?
sh -c 'x=1; echo ${x?message}'; echo $?
sh -x -c 'echo traced' 2>&1; echo $?
sh -x -c 'a=1; echo $a "b c"' 2>&1
sh -n -c 'echo never'; echo $?
