-- Nobody looks for servers by whom they make room for, and every notice would write it.

DROP INDEX server_waiting_for;
