package server

// recovering is a file in a data directory whose recovery has not ended.
const recovering = "RECOVER-INCOMPLETE"
