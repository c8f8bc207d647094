# trap, exit and signals.
sh -c 'trap "echo bye" EXIT; echo hi'; echo $?
sh -c 'trap "echo bye" EXIT; exit 3'; echo $?
sh -c 'trap "echo bye; exit 5" EXIT; exit 3'; echo $?
sh -c 'trap "echo bye" 0; (echo sub); echo main'
sh -c 'trap "echo usr" USR1; kill -USR1 $$; echo after'; echo $?
sh -c 'trap "echo int; exit 4" INT; kill -INT $$; echo never'; echo $?
sh -c 'trap "" TERM; kill -TERM $$; echo survived'; echo $?
sh -c 'trap "echo x" TERM; trap - TERM; kill -TERM $$; echo never'; echo $?
sh -c 'trap "echo one" USR1; trap "echo two" USR1; kill -USR1 $$'
sh -c 'trap "echo a" EXIT; trap; trap - EXIT; trap'
sh -c 'trap "echo t" USR1; (kill -USR1 $$; echo in); echo out' | sort
sh -c 'f() { trap "echo fexit" EXIT; }; f; echo body'
sh -c 'trap "echo \$?" EXIT; false'; echo $?
sh -c 'trap "false" USR1; true; kill -USR1 $$; echo $?'
sh -c 'trap "echo got" USR1; sleep 0.2 & kill -USR1 $$; wait; echo done'
sh -c 'trap "echo hup" HUP; for i in 1 2 3; do kill -HUP $$; done'
sh -c 'exit'; echo $?
sh -c 'false; exit'; echo $?
sh -c 'exit 256'; echo $?
sh -c '(exit 3); exit'; echo $?
sh -c 'trap "echo e" EXIT; exec true'; echo $?
sh -c 'kill -0 $$ && echo alive'
sh -c 'trap "exit 7" USR1; while :; do kill -USR1 $$; done'; echo $?
