"""What services do in a simulated day: appointments, medicines, checks, admissions and referrals."""
