# case and patterns.
m() { case $1 in
  a) echo A;;
  b|c) echo BC;;
  d*) echo D;;
  ?x) echo QX;;
  [0-9]) echo digit;;
  [!a-z]*) echo not-lower;;
  [a-c]z) echo acz;;
  '*') echo star;;
  "q r") echo spaced;;
  *e) echo ends-e;;
  "") echo empty;;
  *) echo other;;
esac; }
for w in a b c dog ax 5 A1 bz '*' 'q r' apple '' zzz; do m "$w"; done
case x in (x) echo paren;; esac
case x in y) echo no;; esac; echo $?
case x in x) ;; esac; echo $?
case x in x) false;; esac; echo $?
p='a*'; case abc in $p) echo var-pattern;; esac
case abc in "$p") echo no;; *) echo quoted-literal;; esac
case 'a*' in "$p") echo literal;; esac
case '[' in '[') echo bracket;; esac
case ']' in []]) echo rbracket;; esac
case a-b in *-*) echo dash;; esac
case / in /*) echo slash;; esac
case "a
b" in *b) echo multiline;; esac
case $(echo sub) in sub) echo subst;; esac
x=5; case $((x+1)) in 6) echo arith;; esac
case a in a) echo first;; a) echo second;; esac
case in in in) echo in;; esac
case a
in
  a) echo newline
esac
case \* in \*) echo esc;; esac
case 'a\b' in 'a\b') echo bs;; esac
case x in [[:alpha:]]) echo class;; esac
case ab in a?) echo q;; esac
case .x in *) echo dot;; esac
